// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.BitmapKeeper;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.StoredBitmap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
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
   * Returns which granules qemu-nbd calls dirty.
   *
   * @param file on which nobody works
   * @param granularity of the bitmap in bytes
   */
  static BitSet qemuDirty(Path file, String name, long granularity) {
    String map =
        run(
            List.of("nbdinfo", "--map=qemu:dirty-bitmap:" + name, "--"),
            List.of("[", "qemu-nbd", "-r", "-f", "qcow2", "-B", name, file.toString(), "]"));
    BitSet dirty = new BitSet();
    for (String line : map.lines().toList()) {
      String[] fields = line.trim().split(" +");
      if (fields[3].equals("dirty")) {
        long start = Long.parseLong(fields[0]);
        long end = start + Long.parseLong(fields[1]);
        dirty.set((int) (start / granularity), (int) ((end + granularity - 1) / granularity));
      }
    }
    return dirty;
  }

  private static String run(List<String> first, List<String> then) {
    List<String> command = new ArrayList<>(first);
    command.addAll(then);
    QemuImg.Result result = QemuImg.run(command);
    if (result.exitCode() != 0) {
      throw new AssertionError(command + ": " + result.output());
    }
    return result.output();
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
