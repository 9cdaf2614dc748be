// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.testing.ForwardingInstance;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;

/** Holds back calls at gates, so that a test decides the order of what runs at once. */
final class GatedInstance extends ForwardingInstance {
  private final Queue<Gate> gates = new ConcurrentLinkedQueue<>();

  GatedInstance(DriverInstance inner) {
    super(inner);
  }

  /** Stops the next call of one kind. */
  Gate closeFor(Kind kind) {
    Gate gate = new Gate(kind);
    gates.add(gate);
    return gate;
  }

  @Override
  protected void before(Call call) {
    for (Gate gate : gates) {
      if (gate.kind == call.kind() && gates.remove(gate)) {
        gate.pass();
        return;
      }
    }
  }

  /** Where one call stops. */
  static final class Gate {
    private final Kind kind;
    private final CountDownLatch arrived = new CountDownLatch(1);
    private final CountDownLatch opened = new CountDownLatch(1);

    private Gate(Kind kind) {
      this.kind = kind;
    }

    private void pass() {
      arrived.countDown();
      await(opened);
    }

    /** Waits until a call stands at the gate. */
    void awaitArrival() {
      await(arrived);
    }

    /** Lets the call through. */
    void open() {
      opened.countDown();
    }

    private static void await(CountDownLatch latch) {
      try {
        latch.await();
      } catch (InterruptedException e) {
        throw new AssertionError("interrupted", e);
      }
    }
  }
}
