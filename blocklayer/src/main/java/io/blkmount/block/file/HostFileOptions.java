// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;

/**
 * What a host file is opened with.
 *
 * @param path the name
 * @param writable whether writes will come
 * @param direct go around the host's page cache (O_DIRECT)
 * @param forceShare take no locks
 * @param locking whether locks are taken
 */
record HostFileOptions(
    HostPath path, boolean writable, boolean direct, boolean forceShare, Locking locking) {
  /** Whether the image is locked against other users. */
  enum Locking {
    /** Where the file system can. */
    AUTO,
    /** Or the open fails. */
    ON,
    /** Not at all. */
    OFF
  }

  /**
   * Returns the options of a file that is only made.
   *
   * @param path the name
   */
  static HostFileOptions forWriting(HostPath path) {
    return new HostFileOptions(path, true, false, false, Locking.AUTO);
  }

  /**
   * Takes the options of the file drivers.
   *
   * @param options as the driver was given them
   * @throws BlockException that names an option with a value that makes no sense
   */
  static HostFileOptions take(DriverOptions options) throws BlockException {
    String hostName = options.take("filename");
    if (hostName == null) {
      throw new BlockException(BlockError.INVALID, "option filename is missing");
    }
    requireThreads(options.take("aio", "threads"));
    HostFileOptions taken =
        new HostFileOptions(
            new HostPath(hostName, options.imageName()),
            options.writable(),
            options.takeBoolean("cache.direct", false),
            options.takeBoolean("force-share", false),
            lockingOf(options.take("locking", "auto")));
    if (taken.forceShare && taken.writable) {
      throw new BlockException(BlockError.INVALID, "option force-share=on is only for reading");
    }
    return taken;
  }

  private static void requireThreads(String aio) throws BlockException {
    if (!aio.equals("threads")) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED, "option aio=" + aio + ": only threads is supported");
    }
  }

  private static Locking lockingOf(String value) throws BlockException {
    return switch (value) {
      case "auto" -> Locking.AUTO;
      case "on" -> Locking.ON;
      case "off" -> Locking.OFF;
      default ->
          throw new BlockException(
              BlockError.INVALID, "option locking=" + value + ": none of auto, on, off");
    };
  }
}
