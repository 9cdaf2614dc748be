// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.driver.DriverInstance;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Writes down every call in the order in which they began. */
public final class RecordingInstance extends ForwardingInstance {
  private final List<Call> calls = new CopyOnWriteArrayList<>();

  /**
   * Creates a recorder.
   *
   * @param inner who does the work
   */
  public RecordingInstance(DriverInstance inner) {
    super(inner);
  }

  /** Returns all calls since the start or the last {@link #clear}. */
  public List<Call> calls() {
    return List.copyOf(calls);
  }

  /**
   * Returns the calls of one kind.
   *
   * @param kind which
   */
  public List<Call> calls(Kind kind) {
    return calls.stream().filter(call -> call.kind() == kind).toList();
  }

  /** Forgets what was recorded. */
  public void clear() {
    calls.clear();
  }

  @Override
  protected void before(Call call) {
    calls.add(call);
  }
}
