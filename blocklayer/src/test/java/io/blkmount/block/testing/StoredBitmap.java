// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.error.CorruptImageException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * A persistent bitmap as the format describes it; written apart from the driver, so that neither
 * hides the other's mistakes.
 *
 * @param name of it
 * @param flags 1 in use, 2 auto, 4 extra data compatible
 * @param granularityBits log2 of the granule's size
 * @param tableOffset of its table
 * @param tableEntries entries of its table
 */
public record StoredBitmap(
    String name, int flags, int granularityBits, long tableOffset, int tableEntries) {
  private static final long TABLE_RESERVED = 0xff00_0000_0000_01feL;

  /**
   * Reads the directory of an image.
   *
   * @param image all of its bytes
   * @throws CorruptImageException if it breaks a rule
   */
  public static List<StoredBitmap> all(PagedBytes image) throws CorruptImageException {
    return all(image, Qcow2Layout.parse(image));
  }

  static List<StoredBitmap> all(PagedBytes image, Qcow2Layout layout) throws CorruptImageException {
    List<StoredBitmap> found = new ArrayList<>();
    long at = layout.bitmapsOffset();
    for (int i = 0; i < layout.bitmapCount(); i++) {
      int sizes = image.bytes(at + 16, 1)[0];
      require(sizes == 1, "bitmap " + i + ": type " + sizes);
      int nameLength = (int) (image.getLong(at + 16) >>> 32 & 0xffff);
      int extraLength = (int) image.getLong(at + 16);
      byte[] name = image.bytes(at + 24 + extraLength, nameLength);
      long second = image.getLong(at + 8);
      found.add(
          new StoredBitmap(
              new String(name, StandardCharsets.UTF_8),
              (int) second,
              image.bytes(at + 17, 1)[0],
              image.getLong(at),
              (int) (second >>> 32)));
      at += 24 + extraLength + nameLength + 7 & ~7;
    }
    require(at == layout.bitmapsOffset() + layout.bitmapsLength(), "length of bitmap directory");
    return found;
  }

  private static void require(boolean ok, String problem) throws CorruptImageException {
    if (!ok) {
      throw new CorruptImageException("bitmap directory", 0, problem);
    }
  }

  /** Returns whether somebody had it in memory. */
  public boolean isInUse() {
    return (flags & 1) != 0;
  }

  /** Returns whether it records writes. */
  public boolean isAuto() {
    return (flags & 2) != 0;
  }

  void addTo(Qcow2References references, PagedBytes image, Qcow2Layout layout, int index) {
    if (!references.addAligned("bitmap table", index, tableOffset, tableEntries * 8L)) {
      return;
    }
    long granules = Qcow2Layout.divideUp(layout.size(), 1L << granularityBits);
    if (!isInUse() && tableEntries != Qcow2Layout.divideUp(granules, layout.clusterSize() * 8L)) {
      references.corrupt("bitmap " + index + ": table of " + tableEntries + " entries");
    }
    for (int i = 0; i < tableEntries; i++) {
      long entry = image.getLong(tableOffset + i * 8L);
      if ((entry & TABLE_RESERVED) != 0 || (entry > 1 && (entry & 1) != 0)) {
        references.corrupt("bitmap " + index + ": table entry 0x" + Long.toHexString(entry));
      } else if (entry > 1) {
        references.addAligned("bitmap data", i, entry, layout.clusterSize());
      }
    }
  }

  /**
   * Returns the granules that are marked.
   *
   * @param image all of its bytes
   * @throws CorruptImageException if the header breaks a rule
   */
  public BitSet bits(PagedBytes image) throws CorruptImageException {
    Qcow2Layout layout = Qcow2Layout.parse(image);
    int perCluster = layout.clusterSize() * 8;
    int granules = (int) Qcow2Layout.divideUp(layout.size(), 1L << granularityBits);
    BitSet bits = new BitSet();
    for (int i = 0; i < tableEntries; i++) {
      long entry = image.getLong(tableOffset + i * 8L);
      if (entry == 1) {
        bits.set(i * perCluster, (i + 1) * perCluster);
      } else if (entry != 0) {
        BitSet part = BitSet.valueOf(image.bytes(entry, layout.clusterSize()));
        int start = i * perCluster;
        part.stream().forEach(bit -> bits.set(start + bit));
      }
    }
    bits.clear(granules, Math.max(granules, bits.length()));
    return bits;
  }
}
