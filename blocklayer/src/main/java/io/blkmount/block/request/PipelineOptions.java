// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import org.jspecify.annotations.Nullable;

/**
 * How a node treats its requests.
 *
 * @param nodeName for messages
 * @param writable whether anything may change the node
 * @param noFlush whether a flush only writes back to the host and never waits for the medium
 * @param copyOnRead whether what is read from a backing file is stored in this layer
 * @param discard what becomes of discards, and of {@code MAY_UNMAP}
 * @param detectZeroes what becomes of writes whose bytes are all zero
 * @param compress whether everything written is stored compressed, in whole clusters
 * @param beforeWrite may refuse writes, or null
 */
public record PipelineOptions(
    String nodeName,
    boolean writable,
    boolean noFlush,
    boolean copyOnRead,
    DiscardMode discard,
    DetectZeroesMode detectZeroes,
    boolean compress,
    @Nullable BeforeWrite beforeWrite) {
  /**
   * Returns the options of a writable node that gives discarded space back.
   *
   * @param nodeName for messages
   */
  public static PipelineOptions writable(String nodeName) {
    return new PipelineOptions(
        nodeName, true, false, false, DiscardMode.UNMAP, DetectZeroesMode.OFF, false, null);
  }

  /**
   * Returns the options of a node that nothing may change.
   *
   * @param nodeName for messages
   */
  public static PipelineOptions readOnly(String nodeName) {
    return new PipelineOptions(
        nodeName, false, false, false, DiscardMode.IGNORE, DetectZeroesMode.OFF, false, null);
  }

  /**
   * Returns these options with another {@code noFlush}.
   *
   * @param noFlush whether a flush only writes back
   */
  public PipelineOptions withNoFlush(boolean noFlush) {
    return new PipelineOptions(
        nodeName, writable, noFlush, copyOnRead, discard, detectZeroes, compress, beforeWrite);
  }

  /**
   * Returns these options with another {@code copyOnRead}.
   *
   * @param copyOnRead whether what is read from a backing file is stored
   */
  public PipelineOptions withCopyOnRead(boolean copyOnRead) {
    return new PipelineOptions(
        nodeName, writable, noFlush, copyOnRead, discard, detectZeroes, compress, beforeWrite);
  }

  /**
   * Returns these options with another {@code discard}.
   *
   * @param discard what becomes of discards
   */
  public PipelineOptions withDiscard(DiscardMode discard) {
    return new PipelineOptions(
        nodeName, writable, noFlush, copyOnRead, discard, detectZeroes, compress, beforeWrite);
  }

  /**
   * Returns these options with another {@code detectZeroes}.
   *
   * @param detectZeroes what becomes of writes of zeros
   */
  public PipelineOptions withDetectZeroes(DetectZeroesMode detectZeroes) {
    return new PipelineOptions(
        nodeName, writable, noFlush, copyOnRead, discard, detectZeroes, compress, beforeWrite);
  }

  /**
   * Returns these options with another {@code compress}.
   *
   * @param compress whether everything written is stored compressed
   */
  public PipelineOptions withCompress(boolean compress) {
    return new PipelineOptions(
        nodeName, writable, noFlush, copyOnRead, discard, detectZeroes, compress, beforeWrite);
  }

  /**
   * Returns these options with another {@code beforeWrite}.
   *
   * @param beforeWrite may refuse writes, or null
   */
  public PipelineOptions withBeforeWrite(@Nullable BeforeWrite beforeWrite) {
    return new PipelineOptions(
        nodeName, writable, noFlush, copyOnRead, discard, detectZeroes, compress, beforeWrite);
  }
}
