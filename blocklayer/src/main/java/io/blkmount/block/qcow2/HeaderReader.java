// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static io.blkmount.block.qcow2.Qcow2Header.AUTOCLEAR_FEATURES_AT;
import static io.blkmount.block.qcow2.Qcow2Header.BACKING_NAME_LENGTH_AT;
import static io.blkmount.block.qcow2.Qcow2Header.BACKING_NAME_OFFSET_AT;
import static io.blkmount.block.qcow2.Qcow2Header.CLUSTER_BITS_AT;
import static io.blkmount.block.qcow2.Qcow2Header.COMPATIBLE_FEATURES_AT;
import static io.blkmount.block.qcow2.Qcow2Header.COMPRESSION_TYPE_AT;
import static io.blkmount.block.qcow2.Qcow2Header.COMPRESSION_ZLIB;
import static io.blkmount.block.qcow2.Qcow2Header.COMPRESSION_ZSTD;
import static io.blkmount.block.qcow2.Qcow2Header.CRYPT_LUKS;
import static io.blkmount.block.qcow2.Qcow2Header.CRYPT_METHOD_AT;
import static io.blkmount.block.qcow2.Qcow2Header.CRYPT_NONE;
import static io.blkmount.block.qcow2.Qcow2Header.HEADER_LENGTH_AT;
import static io.blkmount.block.qcow2.Qcow2Header.INCOMPATIBLE_FEATURES_AT;
import static io.blkmount.block.qcow2.Qcow2Header.L1_ENTRY_COUNT_AT;
import static io.blkmount.block.qcow2.Qcow2Header.L1_TABLE_OFFSET_AT;
import static io.blkmount.block.qcow2.Qcow2Header.LENGTH_AT;
import static io.blkmount.block.qcow2.Qcow2Header.MAGIC;
import static io.blkmount.block.qcow2.Qcow2Header.REFCOUNT_ORDER_AT;
import static io.blkmount.block.qcow2.Qcow2Header.REFCOUNT_TABLE_CLUSTERS_AT;
import static io.blkmount.block.qcow2.Qcow2Header.REFCOUNT_TABLE_OFFSET_AT;
import static io.blkmount.block.qcow2.Qcow2Header.SNAPSHOT_COUNT_AT;
import static io.blkmount.block.qcow2.Qcow2Header.SNAPSHOT_TABLE_OFFSET_AT;
import static io.blkmount.block.qcow2.Qcow2Header.V2_LENGTH;
import static io.blkmount.block.qcow2.Qcow2Header.V2_REFCOUNT_ORDER;
import static io.blkmount.block.qcow2.Qcow2Header.V3_LENGTH;
import static io.blkmount.block.qcow2.Qcow2Header.V3_MIN_LENGTH;
import static io.blkmount.block.qcow2.Qcow2Header.VERSION_AT;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Reads one header field by field; nothing is narrowed, added or allocated before it is checked.
 */
final class HeaderReader {
  static final int MIN_CLUSTER_BITS = 9;
  static final int MAX_CLUSTER_BITS = 21;

  /** A subcluster is a 32nd of a cluster and at least one 512-byte sector. */
  static final int MIN_EXTENDED_L2_CLUSTER_BITS = 14;

  /** QEMU's limit; a name has to fit into its buffers of 1024 with the closing NUL. */
  static final int MAX_BACKING_NAME = 1023;

  /** 32 MiB of L1 table; with clusters of 64 KiB that is a disk of 2 PiB. */
  static final int MAX_L1_ENTRIES = (32 << 20) / Long.BYTES;

  static final int MAX_REFCOUNT_TABLE_BYTES = 8 << 20;
  static final int MAX_SNAPSHOTS = 65536;
  static final int MAX_REFCOUNT_ORDER = 6;

  private final HeaderRules rules;
  private final ByteBuffer bytes;

  HeaderReader(HeaderRules rules, ByteBuffer bytes) {
    this.rules = rules;
    this.bytes = bytes;
  }

  Qcow2Header read() throws IOException {
    int version = readVersion();
    int clusterBits =
        rules.range("cluster_bits", uint32(CLUSTER_BITS_AT), MIN_CLUSTER_BITS, MAX_CLUSTER_BITS);
    HeaderBuilder fields = new HeaderBuilder().clusterBits(clusterBits);
    if (version == 2) {
      fields.version(2, V2_LENGTH).refcountOrder(V2_REFCOUNT_ORDER);
    } else {
      readVersion3(fields, readHeaderLength(1 << clusterBits));
    }
    readBoth(fields, 1 << clusterBits);
    Qcow2Header header = fields.build();
    checkBackingName(header);
    checkL1Covers(header);
    checkCompression(header);
    return header;
  }

  private int readVersion() throws BlockException {
    if (bytes.limit() < VERSION_AT || bytes.getInt(0) != MAGIC) {
      throw notAnImage(bytes.limit() == 0 ? "the file is empty" : "no qcow2 magic at offset 0");
    }
    requireBytes(V2_LENGTH);
    long version = uint32(VERSION_AT);
    if (version != 2 && version != 3) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          rules.message(
              "header field version: " + version + " is not supported, only 2 and 3 are"));
    }
    return (int) version;
  }

  private int readHeaderLength(int clusterSize) throws BlockException {
    requireBytes(V3_MIN_LENGTH);
    int headerLength =
        rules.range("header_length", uint32(HEADER_LENGTH_AT), V3_MIN_LENGTH, clusterSize);
    requireBytes(Math.min(headerLength, V3_LENGTH));
    return headerLength;
  }

  private void requireBytes(int count) throws BlockException {
    if (bytes.limit() < count) {
      throw notAnImage(
          "truncated header: the file has " + bytes.limit() + " of " + count + " bytes");
    }
  }

  private BlockException notAnImage(String problem) {
    return new BlockException(BlockError.INVALID, rules.message("not a qcow2 image: " + problem));
  }

  /** Reads what only version 3 has. */
  private void readVersion3(HeaderBuilder fields, int headerLength) throws IOException {
    fields.version(3, headerLength);
    fields.refcountOrder(
        rules.range("refcount_order", uint32(REFCOUNT_ORDER_AT), 0, MAX_REFCOUNT_ORDER));
    fields.features(
        bytes.getLong(INCOMPATIBLE_FEATURES_AT),
        bytes.getLong(COMPATIBLE_FEATURES_AT),
        bytes.getLong(AUTOCLEAR_FEATURES_AT));
    if (headerLength > COMPRESSION_TYPE_AT) {
      fields.compressionType(bytes.get(COMPRESSION_TYPE_AT) & 0xff);
    }
  }

  /** Reads what both versions have. */
  private void readBoth(HeaderBuilder fields, int clusterSize) throws IOException {
    fields.backingName(bytes.getLong(BACKING_NAME_OFFSET_AT), readBackingNameLength());
    fields.length(readLength());
    fields.cryptMethod(
        rules.range("crypt_method", uint32(CRYPT_METHOD_AT), CRYPT_NONE, CRYPT_LUKS));
    fields.l1Table(
        rules.range("l1_size", uint32(L1_ENTRY_COUNT_AT), 0, MAX_L1_ENTRIES),
        offset("l1_table_offset", L1_TABLE_OFFSET_AT, clusterSize));
    fields.refcountTable(
        offset("refcount_table_offset", REFCOUNT_TABLE_OFFSET_AT, clusterSize),
        readRefcountTableClusters(clusterSize));
    fields.snapshots(
        rules.range("nb_snapshots", uint32(SNAPSHOT_COUNT_AT), 0, MAX_SNAPSHOTS),
        offset("snapshots_offset", SNAPSHOT_TABLE_OFFSET_AT, clusterSize));
  }

  /** The length means nothing without an offset; old writers left anything there. */
  private int readBackingNameLength() throws IOException {
    return bytes.getLong(BACKING_NAME_OFFSET_AT) == 0
        ? 0
        : rules.range("backing_file_size", uint32(BACKING_NAME_LENGTH_AT), 0, MAX_BACKING_NAME);
  }

  private long readLength() throws IOException {
    long length = bytes.getLong(LENGTH_AT);
    rules.require(length >= 0, "size", Long.toUnsignedString(length) + " bytes is not below 2^63");
    return length;
  }

  private int readRefcountTableClusters(int clusterSize) throws IOException {
    return rules.range(
        "refcount_table_clusters",
        uint32(REFCOUNT_TABLE_CLUSTERS_AT),
        1,
        MAX_REFCOUNT_TABLE_BYTES / clusterSize);
  }

  /** The name lies between the extensions and the end of the first cluster. */
  private void checkBackingName(Qcow2Header header) throws IOException {
    long offset = header.backingNameOffset();
    if (offset == 0) {
      return;
    }
    rules.require(
        offset >= header.headerLength() && offset <= header.clusterSize(),
        "backing_file_offset",
        HeaderRules.hex(offset)
            + " is not between the header's "
            + header.headerLength()
            + " bytes and the end of the first cluster, "
            + header.clusterSize());
    rules.require(
        header.backingNameLength() <= header.clusterSize() - offset,
        "backing_file_size",
        "a name of "
            + header.backingNameLength()
            + " bytes at offset "
            + HeaderRules.hex(offset)
            + " does not fit into the first cluster of "
            + header.clusterSize()
            + " bytes");
  }

  private void checkL1Covers(Qcow2Header header) throws IOException {
    boolean extendedL2 = header.hasIncompatible(FeatureBits.EXTENDED_L2);
    rules.require(
        !extendedL2 || header.clusterBits() >= MIN_EXTENDED_L2_CLUSTER_BITS,
        "cluster_bits",
        header.clusterBits() + " is below 14, too small for extended L2 entries");
    long needed = ClusterGeometry.l1EntriesFor(header.length(), header.clusterBits(), extendedL2);
    rules.require(
        header.l1EntryCount() >= needed,
        "l1_size",
        header.l1EntryCount()
            + " entries are too few for a disk of "
            + header.length()
            + " bytes, which needs "
            + needed);
  }

  /** The bit is there to keep readers away that know zlib only, so it must match the type. */
  private void checkCompression(Qcow2Header header) throws IOException {
    int type = rules.range("compression_type", header.compressionType(), 0, COMPRESSION_ZSTD);
    boolean bit = header.hasIncompatible(FeatureBits.COMPRESSION_TYPE);
    rules.require(
        bit == (type != COMPRESSION_ZLIB),
        "compression_type",
        type + (bit ? " with" : " without") + " the incompatible feature bit \"compression type\"");
  }

  private long offset(String field, int at, int clusterSize) throws IOException {
    return rules.offset(field, bytes.getLong(at), clusterSize);
  }

  private long uint32(int at) {
    return Integer.toUnsignedLong(bytes.getInt(at));
  }
}
