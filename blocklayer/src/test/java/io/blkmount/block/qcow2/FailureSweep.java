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
 * @param step 1 to fail every call, more to pass some over
 */
record FailureSweep(PagedBytes start, int step) {
  /** What is done to the file. */
  interface Operation {
    void run(DriverInstance host) throws IOException;
  }

  /**
   * Runs the operation until no call of it is left to fail.
   *
   * @param check of what each failure, and the last run without one, left
   */
  void run(Operation operation, Check check, String context) throws IOException {
    for (FaultKind kind : FaultKind.values()) {
      boolean tripped = true;
      for (int n = 0; tripped; n += step) {
        String said = context + ", " + kind + " at host call " + n;
        MemoryInstance memory = MemoryInstance.file(start.copy(), 1);
        tripped = attempt(memory, operation, kind, n, said);
        check.require(memory.content(), said);
      }
    }
  }

  /** Fails the n-th host call; returns whether there was one. */
  private static boolean attempt(
      MemoryInstance memory, Operation operation, FaultKind kind, int n, String said)
      throws IOException {
    FaultInstance host =
        new FaultInstance(memory, FaultKind.CALLS, kind.error(), kind.halfWrites());
    kind.arm(host, n);
    try {
      operation.run(host);
    } catch (BlockException failure) {
      assertThat(host.tripped()).as(said + ": " + failure).isTrue();
      assertThat(failure.error()).as(said + ": " + failure).isEqualTo(kind.error());
    } catch (HeaderFields.UndecidedException failure) {
      assertThat(kind).as(said + ": " + failure).isEqualTo(FaultKind.FULL_DISK);
    }
    return host.tripped();
  }
}
