// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;

/** Holds one call at the door until it is let in, so that a test decides what happens meanwhile. */
public final class GateInstance extends ForwardingInstance {
  /** Longer than anything that works takes. */
  private static final long TIMEOUT_SECONDS = 60;

  private final AtomicReference<Gate> armed = new AtomicReference<>();

  /**
   * Creates a wrapper that holds nothing.
   *
   * @param inner who does the work
   */
  public GateInstance(DriverInstance inner) {
    super(inner);
  }

  /** Where one call waits. */
  public static final class Gate {
    private final Predicate<Call> which;
    private final CountDownLatch reached = new CountDownLatch(1);
    private final CountDownLatch opened = new CountDownLatch(1);

    private Gate(Predicate<Call> which) {
      this.which = which;
    }

    /**
     * Waits until the call stands at the gate.
     *
     * @throws IOException if it does not come
     */
    public void awaitCall() throws IOException {
      await(reached, "the call did not come");
    }

    /** Lets the call go on. */
    public void open() {
      opened.countDown();
    }
  }

  /**
   * Holds the next call that {@code which} accepts.
   *
   * @param which of all calls
   */
  public Gate holdNext(Predicate<Call> which) {
    Gate gate = new Gate(which);
    armed.set(gate);
    return gate;
  }

  @Override
  protected void before(Call call) throws IOException {
    Gate gate = armed.get();
    if (gate != null && gate.which.test(call) && armed.compareAndSet(gate, null)) {
      gate.reached.countDown();
      await(gate.opened, "the gate was not opened");
    }
  }

  private static void await(CountDownLatch latch, String problem) throws IOException {
    try {
      if (!latch.await(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        throw new BlockException(BlockError.TIMED_OUT, problem);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BlockException(BlockError.INTERRUPTED, problem, e);
    }
  }
}
