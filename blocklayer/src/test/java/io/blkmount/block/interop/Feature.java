// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.interop;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What an image can have beside its basic shape. Which clusters and versions a feature needs is the
 * format's rule; how it is put on an image is in {@link FeaturedImage}.
 */
enum Feature {
  PLAIN,
  LAZY_REFCOUNTS("lazy_refcounts=on"),
  EXTENDED_L2("extended_l2=on"),
  ZSTD_CLUSTERS("compression_type=zstd"),
  ZLIB_CLUSTERS,
  DATA_FILE("data_file=guest.data"),
  RAW_DATA_FILE("data_file=guest.data", "data_file_raw=on"),
  RAW_BACKING,
  QCOW2_BACKING,
  LONGER_BACKING,
  SHORTER_BACKING,
  INTERNAL_SNAPSHOTS,
  VM_STATE,
  ENABLED_BITMAP,
  DISABLED_BITMAP,
  INCONSISTENT_BITMAP,
  LUKS,
  AES,
  METADATA_PREALLOCATED("preallocation=metadata"),
  FALLOC_PREALLOCATED("preallocation=falloc"),
  FULLY_PREALLOCATED("preallocation=full"),
  TRUNCATED_LAST_CLUSTER,
  EMPTY_DISK,
  ODD_LENGTH,
  UNKNOWN_EXTENSION,
  UNKNOWN_COMPATIBLE_BIT,
  UNKNOWN_AUTOCLEAR_BIT,
  UNKNOWN_INCOMPATIBLE_BIT;

  /** Subclusters have at least 512 bytes. */
  private static final int LEAST_EXTENDED_CLUSTER = 16 << 10;

  private final List<String> options;

  Feature(String... options) {
    this.options = List.of(options);
  }

  /** Returns the creation options of qemu-img that put the feature on an image. */
  List<String> options() {
    return options;
  }

  /** Returns the same by name. */
  Map<String, String> optionValues() {
    Map<String, String> values = new HashMap<>();
    for (String option : options) {
      int equals = option.indexOf('=');
      values.put(option.substring(0, equals), option.substring(equals + 1));
    }
    return values;
  }

  /** Returns whether the feature goes with a version of the format and a cluster size. */
  boolean goesWith(int version, int clusterSize) {
    return (version == 3 || !needsVersion3())
        && (this != EXTENDED_L2 || clusterSize >= LEAST_EXTENDED_CLUSTER);
  }

  private boolean needsVersion3() {
    return switch (this) {
      case LAZY_REFCOUNTS, EXTENDED_L2, ZSTD_CLUSTERS, DATA_FILE, RAW_DATA_FILE -> true;
      case ENABLED_BITMAP, DISABLED_BITMAP, INCONSISTENT_BITMAP -> true;
      case UNKNOWN_COMPATIBLE_BIT, UNKNOWN_AUTOCLEAR_BIT, UNKNOWN_INCOMPATIBLE_BIT -> true;
      default -> false;
    };
  }

  boolean hasBacking() {
    return switch (this) {
      case RAW_BACKING, QCOW2_BACKING, LONGER_BACKING, SHORTER_BACKING -> true;
      default -> false;
    };
  }

  boolean isEncrypted() {
    return this == LUKS || this == AES;
  }

  boolean hasDataFile() {
    return this == DATA_FILE || this == RAW_DATA_FILE;
  }

  boolean hasBitmap() {
    return this == ENABLED_BITMAP || this == DISABLED_BITMAP;
  }

  /** Returns whether an image with it has an internal snapshot. */
  boolean hasSnapshot() {
    return this == INTERNAL_SNAPSHOTS || this == VM_STATE;
  }

  /** Returns whether we can make such an image, too. */
  boolean isMadeHere() {
    return switch (this) {
      case ZLIB_CLUSTERS, ZSTD_CLUSTERS, INCONSISTENT_BITMAP -> false;
      case TRUNCATED_LAST_CLUSTER, ODD_LENGTH, UNKNOWN_EXTENSION -> false;
      case UNKNOWN_COMPATIBLE_BIT, UNKNOWN_AUTOCLEAR_BIT, UNKNOWN_INCOMPATIBLE_BIT -> false;
      default -> true;
    };
  }

  /** Returns what {@link FeaturePokes#kept} must say of an image that was written to. */
  String expectedAfterWrite() {
    return switch (this) {
      case UNKNOWN_COMPATIBLE_BIT -> "1";
      case UNKNOWN_EXTENSION -> FeaturePokes.UNKNOWN_TEXT;
      case UNKNOWN_AUTOCLEAR_BIT -> "0";
      case VM_STATE -> String.valueOf(FeaturePokes.STATE);
      default -> "";
    };
  }
}
