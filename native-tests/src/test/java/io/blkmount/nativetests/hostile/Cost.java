// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.hostile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What an action took.
 *
 * @param millis time
 * @param extraKib memory at its peak, over what the process had before
 */
record Cost(long millis, long extraKib) {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final Path CLEAR_REFS = Path.of("/proc/self/clear_refs");

  /** Makes the kernel forget the peak so far. */
  private static final String FORGET_PEAK = "5";

  private static final long MAX_MILLIS = 2_000;
  private static final long MAX_KIB = 64 << 10;

  /** Runs an action and measures it. */
  static Cost of(Runnable action) throws IOException {
    System.gc();
    Files.writeString(CLEAR_REFS, FORGET_PEAK);
    long before = kib("VmRSS:");
    long start = System.nanoTime();
    action.run();
    long millis = (System.nanoTime() - start) / 1_000_000;
    return new Cost(millis, Math.max(0, kib("VmHWM:") - before));
  }

  private static long kib(String field) throws IOException {
    for (String line : Files.readAllLines(STATUS)) {
      if (line.startsWith(field)) {
        return Long.parseLong(line.replaceAll("[^0-9]", ""));
      }
    }
    throw new IOException(STATUS + " has no " + field);
  }

  boolean isBounded() {
    return millis <= MAX_MILLIS && extraKib <= MAX_KIB;
  }
}
