// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.BitmapKeeper;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.StoredBitmap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/** Images with persistent bitmaps, as three readers see them. */
final class BitmapImages {
  private BitmapImages() {}

  /** Returns the bitmaps of an open image. */
  static BitmapStore store(TestImage image) {
    return ((BitmapKeeper) image.driver()).bitmapStore();
  }

  /** Opens an image only to read it. */
  static DriverInstance openReadOnly(PagedBytes image) throws IOException {
    MemoryInstance host = MemoryInstance.file(image.copy(), 1);
    DriverOptions options = new DriverOptions("x", false, Map.of());
    return new Qcow2Driver().open(options, new MemoryChild(host).opener());
  }

  /**
   * Returns which granules QEMU finds marked in one bitmap: what it has in memory of it, written to
   * an image of its own.
   *
   * @param file on which nobody works, and in which no bitmap is inconsistent
   */
  static BitSet qemuDirty(Path file, String name) {
    return Objects.requireNonNull(qemuDirty(file).get(name), name);
  }

  /** Returns the same of all bitmaps. */
  static Map<String, BitSet> qemuDirty(Path file) {
    Path copy = file.resolveSibling("bitmaps.qcow2");
    QemuImg.img("convert", "-f", "qcow2", "-O", "qcow2", "--bitmaps", file, copy);
    try {
      return stored(Images.load(copy));
    } catch (CorruptImageException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns which granules are marked in each bitmap that nobody has in use. */
  static Map<String, BitSet> stored(PagedBytes image) throws CorruptImageException {
    Map<String, BitSet> all = new TreeMap<>();
    for (StoredBitmap each : StoredBitmap.all(image)) {
      if (!each.isInUse()) {
        all.put(each.name(), each.bits(image));
      }
    }
    return all;
  }

  /** Returns which granules are marked in one bitmap that nobody has in use. */
  static BitSet storedIn(PagedBytes image, String name) {
    try {
      return Objects.requireNonNull(stored(image).get(name), name);
    } catch (CorruptImageException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the flags of each stored bitmap. */
  static Map<String, Integer> flags(PagedBytes image) throws CorruptImageException {
    Map<String, Integer> all = new LinkedHashMap<>();
    for (StoredBitmap each : StoredBitmap.all(image)) {
      all.put(each.name(), each.flags());
    }
    return all;
  }

  /** Returns the granules of a range. */
  static void mark(BitSet bits, long offset, long length, int granularityBits) {
    if (length > 0) {
      bits.set(
          (int) (offset >> granularityBits), (int) ((offset + length - 1) >> granularityBits) + 1);
    }
  }
}
