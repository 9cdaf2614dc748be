// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import org.jspecify.annotations.Nullable;

/**
 * What every node can be told, whatever its driver. A node's own options go before what it inherits
 * from its parent; the rules of inheritance are QEMU's.
 *
 * @param nodeName its user's name for it, or null
 * @param writable whether writes will come
 * @param forceShare take no locks
 * @param direct go around the host's page cache
 * @param noFlush flushes stop before the medium
 * @param copyOnRead what is read from below is stored here
 * @param discard what becomes of discards
 * @param detectZeroes what becomes of writes of zeros
 * @param compress writes are stored compressed
 */
record NodeSettings(
    @Nullable String nodeName,
    boolean writable,
    boolean forceShare,
    boolean direct,
    boolean noFlush,
    boolean copyOnRead,
    DiscardMode discard,
    DetectZeroesMode detectZeroes,
    boolean compress) {
  /** Returns what the image that the user names starts from. */
  static NodeSettings ofImage(OpenOptions options) {
    return new NodeSettings(
        null,
        !options.readOnly() && !options.forceShare(),
        options.forceShare(),
        options.cache().direct(),
        options.cache().noFlush(),
        options.copyOnRead(),
        options.discard(),
        options.detectZeroes(),
        false);
  }

  /** Returns what the file below a format starts from: whether to discard was decided above it. */
  NodeSettings forFile() {
    return new NodeSettings(
        null,
        writable,
        forceShare,
        direct,
        noFlush,
        false,
        DiscardMode.UNMAP,
        DetectZeroesMode.OFF,
        false);
  }

  /** Returns what a backing file starts from: it is only read. */
  NodeSettings forBacking() {
    return readOnly(null);
  }

  /** Returns what the image itself starts from when writes go to a temporary overlay. */
  NodeSettings forOverlaid() {
    return readOnly(nodeName);
  }

  private NodeSettings readOnly(@Nullable String name) {
    return new NodeSettings(
        name,
        false,
        forceShare,
        direct,
        noFlush,
        false,
        DiscardMode.IGNORE,
        DetectZeroesMode.OFF,
        false);
  }

  /** Returns what the temporary file of a snapshot starts from: nobody will look for it again. */
  NodeSettings forTemporaryOverlay() {
    return new NodeSettings(
        null, true, false, false, true, copyOnRead, discard, detectZeroes, compress);
  }

  /**
   * Returns these settings with a node's own options in their place.
   *
   * @param own the node's options; the ones that every node knows are taken
   * @throws BlockException that names an option whose value makes no sense
   */
  NodeSettings with(OptionTree own) throws BlockException {
    return new NodeSettings(
        own.take("node-name"),
        !own.takeBoolean("read-only", false) && writable, // taken even where nothing is written
        own.takeBoolean("force-share", forceShare),
        own.takeBoolean("cache.direct", direct),
        own.takeBoolean("cache.no-flush", noFlush),
        own.takeBoolean("copy-on-read", copyOnRead),
        discardOf(own.take("discard")),
        detectZeroesOf(own.take("detect-zeroes")),
        own.takeBoolean("compress", compress));
  }

  private DiscardMode discardOf(@Nullable String value) throws BlockException {
    if (value == null) {
      return discard;
    }
    return switch (value) {
      case "ignore", "off" -> DiscardMode.IGNORE;
      case "unmap", "on" -> DiscardMode.UNMAP;
      default ->
          throw new BlockException(
              BlockError.INVALID, "option discard=" + value + ": neither ignore nor unmap");
    };
  }

  private DetectZeroesMode detectZeroesOf(@Nullable String value) throws BlockException {
    if (value == null) {
      return detectZeroes;
    }
    return switch (value) {
      case "off" -> DetectZeroesMode.OFF;
      case "on" -> DetectZeroesMode.ON;
      case "unmap" -> DetectZeroesMode.UNMAP;
      default ->
          throw new BlockException(
              BlockError.INVALID, "option detect-zeroes=" + value + ": none of off, on, unmap");
    };
  }
}
