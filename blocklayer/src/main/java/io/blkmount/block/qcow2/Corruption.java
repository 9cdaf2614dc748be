// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * What happens at the first sign that an image is damaged: the corrupt bit is set, the image turns
 * read-only, one line is logged. Stands for QEMU's {@code qcow2_signal_corruption()}.
 */
final class Corruption {
  private static final Logger LOG = System.getLogger(Corruption.class.getName());

  private final String imageName;
  private final Metadata metadata;
  private final boolean writable;
  private final AtomicBoolean found = new AtomicBoolean();
  private volatile String reason = "damaged";

  Corruption(String imageName, Metadata metadata, boolean writable) {
    this.imageName = imageName;
    this.metadata = metadata;
    this.writable = writable;
  }

  /** Returns whether writes are still taken. */
  boolean isWritable() {
    return writable && !found.get();
  }

  /** Returns whether the image was opened for writing. */
  boolean wasWritable() {
    return writable;
  }

  /**
   * Marks the image, the first time, and returns the exception for the caller to throw.
   *
   * @param sign what was found
   */
  CorruptImageException report(CorruptImageException sign) {
    if (found.compareAndSet(false, true)) {
      LOG.log(Level.ERROR, "{0}: {1}", imageName, sign.getMessage());
      if (writable && metadata.isVersion3()) {
        mark(sign);
      }
    }
    return sign;
  }

  /**
   * Ends all writing: what the header says is not known, so that what is free is not known either.
   * The image is whole, and can be opened again.
   */
  void stopWriting(HeaderFields.UndecidedException failure) {
    reason = "its header may be the old or the new one";
    found.set(true);
    LOG.log(Level.ERROR, "{0}: {1}", imageName, failure.getMessage());
  }

  private void mark(CorruptImageException sign) {
    try {
      long features = metadata.header().incompatibleFeatures() | FeatureBits.CORRUPT;
      new HeaderFields(metadata).writeIncompatible(features);
      metadata.file().flush();
    } catch (IOException e) {
      sign.addSuppressed(e);
      LOG.log(Level.ERROR, "{0}: the corrupt bit cannot be set: {1}", imageName, e.getMessage());
    }
  }

  /** Fails unless the image may be written. */
  void requireWritable() throws BlockException {
    if (!writable) {
      throw new BlockException(BlockError.READ_ONLY, imageName + ": opened read-only");
    }
    if (found.get()) {
      throw new BlockException(
          BlockError.IO, imageName + ": " + reason + ", so that nothing is written to it any more");
    }
  }
}
