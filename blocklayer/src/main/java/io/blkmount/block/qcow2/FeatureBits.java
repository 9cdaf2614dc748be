// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The feature bits of version 3. A reader refuses incompatible bits that it does not know. */
final class FeatureBits {
  /** Incompatible: refcounts may be wrong, rebuild them before they are used. */
  static final long DIRTY = 1L;

  /** Incompatible: a structure is damaged, write nothing but a repair. */
  static final long CORRUPT = 1L << 1;

  /** Incompatible: guest data lies in another file. */
  static final long EXTERNAL_DATA_FILE = 1L << 2;

  /** Incompatible: the compression type is not zlib. */
  static final long COMPRESSION_TYPE = 1L << 3;

  /** Incompatible: L2 entries have 16 bytes and map 32 subclusters. */
  static final long EXTENDED_L2 = 1L << 4;

  static final long KNOWN_INCOMPATIBLE =
      DIRTY | CORRUPT | EXTERNAL_DATA_FILE | COMPRESSION_TYPE | EXTENDED_L2;

  /** Compatible: refcounts may lag behind while the dirty bit is set. */
  static final long LAZY_REFCOUNTS = 1L;

  /** Autoclear: the bitmaps extension is up to date. */
  static final long BITMAPS = 1L;

  /** Autoclear: the external data file is a valid raw image all the time. */
  static final long RAW_EXTERNAL_DATA = 1L << 1;

  static final long KNOWN_AUTOCLEAR = BITMAPS | RAW_EXTERNAL_DATA;

  static final int TYPE_INCOMPATIBLE = 0;
  static final int TYPE_COMPATIBLE = 1;
  static final int TYPE_AUTOCLEAR = 2;

  /**
   * One bit, as the feature name table identifies it.
   *
   * @param type which of the three fields
   * @param bit number from 0 for the least significant bit
   */
  record Feature(int type, int bit) {
    // Written out because every open uses them, and what the compiler makes of a record is put
    // together at run time: milliseconds of each start.

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Feature feature && feature.type == type && feature.bit == bit;
    }

    @Override
    public int hashCode() {
      return type * 64 + bit;
    }
  }

  private FeatureBits() {}

  /** Returns whether the external data file has to be the disk, byte for byte, at any time. */
  static boolean hasRawData(Qcow2Header header) {
    return (header.autoclearFeatures() & RAW_EXTERNAL_DATA) != 0;
  }

  /** Returns the names to write into a new image, in the order in which QEMU writes them. */
  static Map<Feature, String> names() {
    Map<Feature, String> names = new LinkedHashMap<>();
    names.put(new Feature(TYPE_INCOMPATIBLE, 0), "dirty bit");
    names.put(new Feature(TYPE_INCOMPATIBLE, 1), "corrupt bit");
    names.put(new Feature(TYPE_INCOMPATIBLE, 2), "external data file");
    names.put(new Feature(TYPE_INCOMPATIBLE, 3), "compression type");
    names.put(new Feature(TYPE_INCOMPATIBLE, 4), "extended L2 entries");
    names.put(new Feature(TYPE_COMPATIBLE, 0), "lazy refcounts");
    names.put(new Feature(TYPE_AUTOCLEAR, 0), "bitmaps");
    names.put(new Feature(TYPE_AUTOCLEAR, 1), "raw external data");
    return names;
  }

  /**
   * Refuses an image that needs a feature which is not known here, and one whose bits contradict
   * each other.
   *
   * @param imageName for messages
   * @param header of the image
   * @param extensions of the image; the names of unknown bits come from there
   * @throws BlockException {@code NOT_SUPPORTED}, naming every unknown incompatible bit; {@code IO}
   *     if the bit for a raw data file is set without a data file
   */
  static void requireKnown(String imageName, Qcow2Header header, HeaderExtensions extensions)
      throws IOException {
    HeaderRules rules = HeaderRules.forFields(imageName);
    long unknown = header.incompatibleFeatures() & ~KNOWN_INCOMPATIBLE;
    if (unknown != 0) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          rules.message(
              "header field incompatible_features: not supported: " + list(unknown, extensions)));
    }
    rules.require(
        (header.autoclearFeatures() & RAW_EXTERNAL_DATA) == 0
            || header.hasIncompatible(EXTERNAL_DATA_FILE),
        "autoclear_features",
        "the bit \"raw external data\" is set, but there is no external data file");
  }

  private static String list(long bits, HeaderExtensions extensions) {
    StringBuilder text = new StringBuilder();
    for (long rest = bits; rest != 0; rest &= rest - 1) {
      int bit = Long.numberOfTrailingZeros(rest);
      String name = extensions.featureNames().get(new Feature(TYPE_INCOMPATIBLE, bit));
      text.append(text.length() == 0 ? "" : ", ");
      text.append(name == null ? "bit " + bit : '"' + HostName.printable(name) + '"');
    }
    return text.toString();
  }
}
