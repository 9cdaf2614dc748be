// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.io.IOException;

/**
 * Clears the autoclear features that writes do not keep true, before anything is written: whoever
 * set them must see that somebody who does not know them has changed the image.
 */
final class FirstWrite {
  private final Metadata metadata;
  private final long kept;
  private volatile boolean done;

  /**
   * Creates it before the first write.
   *
   * @param hasBitmaps whether the image has a bitmaps extension that is up to date
   */
  FirstWrite(Metadata metadata, boolean hasBitmaps) {
    this.metadata = metadata;
    long features = metadata.header().autoclearFeatures();
    long keepable = FeatureBits.RAW_EXTERNAL_DATA | (hasBitmaps ? FeatureBits.BITMAPS : 0);
    this.kept = features & keepable;
    this.done = !metadata.isVersion3() || features == kept;
  }

  /** Does it, durably, if it has not been done. */
  void prepare() throws IOException {
    if (!done) {
      clear();
    }
  }

  private synchronized void clear() throws IOException {
    if (!done) {
      new HeaderFields(metadata).writeAutoclear(kept);
      metadata.file().flush();
      done = true;
    }
  }
}
