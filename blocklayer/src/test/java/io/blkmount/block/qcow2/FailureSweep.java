// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.StateJudge.Check;
import java.io.IOException;

/**
 * Does the same to a file again and again, of which the host fails another call each time.
 *
 * @param start what is in the file
 * @param attempts about how many, spread over all calls; the last calls, which switch to what was
 *     written before, are all failed in any case
 */
record FailureSweep(PagedBytes start, int attempts) {
  /** Fails every call. */
  static final int ALL = Integer.MAX_VALUE;

  private static final int LAST_CALLS = 4;

  /** What is done to the file. */
  interface Operation {
    void run(DriverInstance host) throws IOException;
  }

  /**
   * Runs the operation with one failure after the other.
   *
   * @param check of what each failure left
   */
  void run(Operation operation, Check check, String context) throws IOException {
    int calls = callsOf(operation);
    int step = Math.max(1, calls / attempts);
    for (FaultKind kind : FaultKind.values()) {
      for (int n = 0; n < calls; n += n < calls - LAST_CALLS ? step : 1) {
        String said = context + ", " + kind + " at host call " + n;
        MemoryInstance memory = MemoryInstance.file(start.copy(), 1);
        attempt(memory, operation, kind, n, said);
        check.require(memory.content(), said);
      }
    }
  }

  private int callsOf(Operation operation) throws IOException {
    FaultInstance host = host(MemoryInstance.file(start.copy(), 1), FaultKind.ONE_CALL);
    operation.run(host);
    assertThat(host.calls()).as("calls that can fail").isPositive();
    return host.calls();
  }

  private static FaultInstance host(MemoryInstance memory, FaultKind kind) {
    return new FaultInstance(memory, FaultKind.CALLS, kind.error(), kind.halfWrites());
  }

  private static void attempt(
      MemoryInstance memory, Operation operation, FaultKind kind, int n, String said)
      throws IOException {
    FaultInstance host = host(memory, kind);
    kind.arm(host, n);
    try {
      operation.run(host);
    } catch (BlockException failure) {
      assertThat(failure.error()).as(said + ": " + failure).isEqualTo(kind.error());
    } catch (HeaderFields.UndecidedException failure) {
      assertThat(kind).as(said + ": " + failure).isEqualTo(FaultKind.FULL_DISK);
    }
    assertThat(host.tripped()).as(said).isTrue();
  }
}
