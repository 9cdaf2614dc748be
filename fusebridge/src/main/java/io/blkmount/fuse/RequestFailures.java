// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The edge: turns whatever a request threw into the errno that its caller gets, and into the log
 * line that says more than an errno can.
 */
public final class RequestFailures {
  private static final System.Logger LOG = System.getLogger(RequestFailures.class.getName());

  /** What users bring about and programs test for: worth no line in the log. */
  private static final Set<BlockError> EXPECTED =
      EnumSet.of(
          BlockError.NOT_FOUND,
          BlockError.IS_DIRECTORY,
          BlockError.NOT_DIRECTORY,
          BlockError.INVALID,
          BlockError.TOO_BIG,
          BlockError.READ_ONLY,
          BlockError.NOT_SUPPORTED,
          BlockError.STALE,
          BlockError.NO_SUCH_DEVICE_OR_ADDRESS);

  /** Different messages that are counted; a damaged image could bring one for each cluster. */
  private static final int MOST_MESSAGES = 1000;

  private final Map<String, AtomicLong> counts = new ConcurrentHashMap<>();

  /** Creates an edge that has seen nothing. */
  public RequestFailures() {}

  /**
   * Returns the errno for a failure, and logs it: a fault of the program whole, a failure of the
   * world on one line the first, the tenth, the hundredth time.
   *
   * @param request what failed, such as {@code write}
   * @param failure anything thrown
   */
  public int errno(String request, Throwable failure) {
    if (failure instanceof IOException inputOutput) {
      BlockError error = BlockException.errorOf(inputOutput);
      log(request, inputOutput, error);
      return Errnos.of(error);
    }
    LOG.log(System.Logger.Level.ERROR, request + " failed by a fault of blkmount", failure);
    return failure instanceof OutOfMemoryError ? Errnos.of(BlockError.NO_MEMORY) : Errnos.IO;
  }

  private void log(String request, IOException failure, BlockError error) {
    String message = request + ": " + describe(failure);
    if (EXPECTED.contains(error)) {
      LOG.log(System.Logger.Level.DEBUG, message);
      return;
    }
    long count = count(message);
    if (isPowerOfTen(count)) {
      LOG.log(
          System.Logger.Level.WARNING, count == 1 ? message : message + " (" + count + " times)");
    }
  }

  private static String describe(IOException failure) {
    String message = failure.getMessage();
    return message == null ? failure.toString() : message;
  }

  private long count(String message) {
    if (counts.size() >= MOST_MESSAGES) {
      counts.clear();
    }
    return counts.computeIfAbsent(message, m -> new AtomicLong()).incrementAndGet();
  }

  private static boolean isPowerOfTen(long count) {
    long rest = count;
    while (rest % 10 == 0) {
      rest /= 10;
    }
    return rest == 1;
  }
}
