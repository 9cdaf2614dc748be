// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.DamageReporter.DamageListener;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * What happens at the first sign that an image is damaged: the image turns read-only, the corrupt
 * bit is set, one line is logged, who listens is told; later signs are counted. Stands for QEMU's
 * {@code qcow2_signal_corruption()}.
 */
final class Corruption {
  private static final Logger LOG = System.getLogger(Corruption.class.getName());

  private final String imageName;
  private final Metadata metadata;
  private final boolean writable;
  private final AtomicInteger signs = new AtomicInteger();
  private volatile boolean stopped;
  private volatile boolean undecided;
  private volatile @Nullable DamageListener listener;

  Corruption(String imageName, Metadata metadata, boolean writable) {
    this.imageName = imageName;
    this.metadata = metadata;
    this.writable = writable;
  }

  /** Says who is told of the first sign. */
  void tell(DamageListener who) {
    listener = who;
  }

  /** Returns whether writes are still taken. */
  boolean isWritable() {
    return writable && !stopped;
  }

  /** Returns whether the image was opened for writing. */
  boolean wasWritable() {
    return writable;
  }

  /**
   * Marks the image and tells of it, the first time, and returns the exception for the caller to
   * throw.
   *
   * @param sign what was found
   */
  CorruptImageException report(CorruptImageException sign) {
    stopped = true;
    if (signs.getAndIncrement() == 0) {
      LOG.log(
          Level.ERROR, "{0}: {1}; later signs of damage are counted", imageName, sign.getMessage());
      if (writable && !undecided && metadata.isVersion3()) {
        mark(sign);
      }
      tell(sign);
    }
    return sign;
  }

  /** A listener that fails must not hide what it was told of. */
  private void tell(CorruptImageException sign) {
    DamageListener told = listener;
    if (told == null) {
      return;
    }
    try {
      told.damaged(String.valueOf(sign.getMessage()), writable);
    } catch (RuntimeException e) {
      sign.addSuppressed(e);
      LOG.log(Level.ERROR, imageName + ": who listens for damage failed", e);
    }
  }

  /** Says in the end what was not said each time. */
  void logLaterSigns() {
    int later = signs.get() - 1;
    if (later > 0) {
      LOG.log(Level.ERROR, "{0}: later signs of damage: {1}", imageName, later);
    }
  }

  /**
   * Ends all writing: what the header says is not known, so that what is free is not known either.
   * The image is whole, and can be opened again.
   */
  void stopWriting(HeaderFields.UndecidedException failure) {
    undecided = true;
    stopped = true;
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
    requireDecided();
    if (stopped) {
      throw noMoreWrites("damaged");
    }
  }

  /**
   * Fails if nobody knows which tables the header names: what was entered in those of memory may be
   * in none that the next reader finds.
   */
  void requireDecided() throws BlockException {
    if (undecided) {
      throw noMoreWrites("its header may be the old or the new one");
    }
  }

  private BlockException noMoreWrites(String reason) {
    return new BlockException(
        BlockError.IO, imageName + ": " + reason + ", so that nothing is written to it any more");
  }
}
