// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The fixed header at the start of every image, big endian.
 *
 * <pre>
 *   0 magic "QFI\xfb"              4 version                     8 backing_file_offset
 *  16 backing_file_size           20 cluster_bits               24 size
 *  32 crypt_method                36 l1_size                    40 l1_table_offset
 *  48 refcount_table_offset       56 refcount_table_clusters    60 nb_snapshots
 *  64 snapshots_offset            --- end of version 2 ---
 *  72 incompatible_features       80 compatible_features        88 autoclear_features
 *  96 refcount_order             100 header_length
 * 104 compression_type (1 byte), 7 bytes of padding; only if header_length is above 104
 * </pre>
 *
 * <p>Fields of an image in use are changed in place, at the {@code _AT} offsets, so that what later
 * versions of the format put behind them survives.
 *
 * @param version 2 or 3
 * @param backingNameOffset in bytes from the start of the file, 0 for none
 * @param backingNameLength in bytes
 * @param clusterBits the cluster size is 2 to the power of this
 * @param length of the virtual disk in bytes, any number
 * @param cryptMethod 0 none, 1 AES, 2 LUKS
 * @param l1EntryCount entries of 8 bytes in the active L1 table
 * @param l1TableOffset host offset in bytes
 * @param refcountTableOffset host offset in bytes
 * @param refcountTableClusters length of the refcount table in clusters
 * @param snapshotCount number of internal snapshots
 * @param snapshotTableOffset host offset in bytes
 * @param incompatibleFeatures bits of {@link FeatureBits}
 * @param compatibleFeatures bits of {@link FeatureBits}
 * @param autoclearFeatures bits of {@link FeatureBits}
 * @param refcountOrder a refcount has 2 to the power of this bits
 * @param headerLength in bytes; the extensions start there
 * @param compressionType {@link #COMPRESSION_ZLIB} or {@link #COMPRESSION_ZSTD}
 */
record Qcow2Header(
    int version,
    long backingNameOffset,
    int backingNameLength,
    int clusterBits,
    long length,
    int cryptMethod,
    int l1EntryCount,
    long l1TableOffset,
    long refcountTableOffset,
    int refcountTableClusters,
    int snapshotCount,
    long snapshotTableOffset,
    long incompatibleFeatures,
    long compatibleFeatures,
    long autoclearFeatures,
    int refcountOrder,
    int headerLength,
    int compressionType) {
  static final int MAGIC = 0x514649fb;
  static final int VERSION_AT = 4;
  static final int BACKING_NAME_OFFSET_AT = 8;
  static final int BACKING_NAME_LENGTH_AT = 16;
  static final int CLUSTER_BITS_AT = 20;
  static final int LENGTH_AT = 24;
  static final int CRYPT_METHOD_AT = 32;
  static final int L1_ENTRY_COUNT_AT = 36;
  static final int L1_TABLE_OFFSET_AT = 40;
  static final int REFCOUNT_TABLE_OFFSET_AT = 48;
  static final int REFCOUNT_TABLE_CLUSTERS_AT = 56;
  static final int SNAPSHOT_COUNT_AT = 60;
  static final int SNAPSHOT_TABLE_OFFSET_AT = 64;
  static final int INCOMPATIBLE_FEATURES_AT = 72;
  static final int COMPATIBLE_FEATURES_AT = 80;
  static final int AUTOCLEAR_FEATURES_AT = 88;
  static final int REFCOUNT_ORDER_AT = 96;
  static final int HEADER_LENGTH_AT = 100;
  static final int COMPRESSION_TYPE_AT = 104;

  /** Length of the whole header in version 2. */
  static final int V2_LENGTH = 72;

  /** Least length of the header in version 3. */
  static final int V3_MIN_LENGTH = 104;

  /** Length of the header in the images that we make: with the compression type, padded to 8. */
  static final int V3_LENGTH = 112;

  static final int COMPRESSION_ZLIB = 0;
  static final int COMPRESSION_ZSTD = 1;

  static final int CRYPT_NONE = 0;
  static final int CRYPT_AES = 1;
  static final int CRYPT_LUKS = 2;

  /** Refcounts have 16 bits in version 2. */
  static final int V2_REFCOUNT_ORDER = 4;

  /**
   * Reads and checks the header against every limit of the format and of QEMU.
   *
   * @param imageName for messages
   * @param start the first bytes of the file from position to limit; 512 are enough
   * @param fileLength in bytes; what {@code start} holds behind it is padding
   * @throws BlockException {@code INVALID} if this is no qcow2 image, {@code NOT_SUPPORTED} for
   *     another version, {@code IO} (a {@code CorruptImageException}) if a field breaks a rule
   */
  static Qcow2Header parse(String imageName, ByteBuffer start, long fileLength) throws IOException {
    HeaderRules rules = HeaderRules.forFields(imageName);
    ByteBuffer bytes = start.slice().order(ByteOrder.BIG_ENDIAN);
    bytes.limit((int) Math.min(bytes.limit(), fileLength));
    return new HeaderReader(rules, bytes).read();
  }

  /**
   * Writes the header, {@link #headerLength} bytes, at the target's position.
   *
   * @param target of any byte order; left behind the header
   */
  void encode(ByteBuffer target) {
    ByteBuffer bytes = target.slice().order(ByteOrder.BIG_ENDIAN);
    bytes.putInt(MAGIC).putInt(version).putLong(backingNameOffset).putInt(backingNameLength);
    bytes.putInt(clusterBits).putLong(length).putInt(cryptMethod).putInt(l1EntryCount);
    bytes.putLong(l1TableOffset).putLong(refcountTableOffset).putInt(refcountTableClusters);
    bytes.putInt(snapshotCount).putLong(snapshotTableOffset);
    if (version >= 3) {
      bytes.putLong(incompatibleFeatures).putLong(compatibleFeatures).putLong(autoclearFeatures);
      bytes.putInt(refcountOrder).putInt(headerLength);
      if (headerLength > COMPRESSION_TYPE_AT) {
        bytes.put((byte) compressionType);
      }
    }
    while (bytes.position() < headerLength) {
      bytes.put((byte) 0);
    }
    target.position(target.position() + headerLength);
  }

  /**
   * Returns this header with another disk, such as that of an internal snapshot.
   *
   * @param otherL1TableOffset host offset in bytes
   * @param otherL1EntryCount enough for the disk
   * @param otherLength of the disk in bytes
   */
  Qcow2Header withDisk(long otherL1TableOffset, int otherL1EntryCount, long otherLength) {
    return HeaderBuilder.from(this)
        .l1Table(otherL1EntryCount, otherL1TableOffset)
        .length(otherLength)
        .build();
  }

  /**
   * Returns this header with another disk.
   *
   * @param l1 the table that maps it
   * @param otherLength of the disk in bytes
   */
  Qcow2Header withDisk(RootTable l1, long otherLength) {
    return withDisk(l1.hostOffset(), l1.entryCount(), otherLength);
  }

  /** Returns this header with another refcount table, of whole clusters. */
  Qcow2Header withRefcountTable(RootTable table) {
    return withRefcountTable(table.hostOffset(), table.byteCount() >> clusterBits);
  }

  /**
   * Returns this header with another refcount table.
   *
   * @param tableOffset host offset in bytes
   * @param tableClusters length of the table
   */
  Qcow2Header withRefcountTable(long tableOffset, int tableClusters) {
    return HeaderBuilder.from(this).refcountTable(tableOffset, tableClusters).build();
  }

  /**
   * Returns this header with other snapshots.
   *
   * @param count how many
   * @param tableOffset host offset in bytes
   */
  Qcow2Header withSnapshots(int count, long tableOffset) {
    return HeaderBuilder.from(this).snapshots(count, tableOffset).build();
  }

  /**
   * Returns this header with another place of the backing file's name.
   *
   * @param offset in bytes from the start of the file, 0 for none
   * @param nameLength in bytes
   */
  Qcow2Header withBackingName(long offset, int nameLength) {
    return HeaderBuilder.from(this).backingName(offset, nameLength).build();
  }

  /** Returns the cluster size in bytes. */
  int clusterSize() {
    return 1 << clusterBits;
  }

  /** Returns the width of a refcount in bits. */
  int refcountBits() {
    return 1 << refcountOrder;
  }

  /**
   * Returns whether all bits of {@code feature} are set.
   *
   * @param feature incompatible bits of {@link FeatureBits}
   */
  boolean hasIncompatible(long feature) {
    return (incompatibleFeatures & feature) == feature;
  }

  /** Returns whether the header names a backing file; an empty name is none, as for QEMU. */
  boolean hasBackingName() {
    return backingNameOffset != 0 && backingNameLength != 0;
  }

  /** Returns where the extensions end at the latest, in bytes from the start of the file. */
  int extensionsEnd() {
    return backingNameOffset == 0 ? clusterSize() : (int) backingNameOffset;
  }
}
