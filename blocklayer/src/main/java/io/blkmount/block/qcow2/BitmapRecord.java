// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bitmap.DirtyBitmap;
import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.CorruptImageException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A persistent dirty bitmap as the bitmap directory has it, big endian.
 *
 * <pre>
 *  0 bitmap_table_offset (8)      8 bitmap_table_size (4)     12 flags (4)
 * 16 type (1)   17 granularity_bits (1)   18 name_size (2)    20 extra_data_size (4)
 * 24 extra data | name | zeros to a multiple of 8
 *
 * flags  | 31..3 0 | 2 extra_data_compatible | 1 auto | 0 in_use |
 * </pre>
 *
 * @param tableOffset host offset of its table in bytes
 * @param tableEntryCount entries of 8 bytes in that table
 * @param flags as above
 * @param granularityBits log2 of how many bytes one bit stands for
 * @param extra data that later versions of the format put there, read-only, from 0 to its limit
 * @param name unique in the directory; decoded by {@code HostName}
 */
record BitmapRecord(
    long tableOffset,
    int tableEntryCount,
    int flags,
    int granularityBits,
    ByteBuffer extra,
    String name) {
  /** Length of what comes before the extra data. */
  static final int FIXED_LENGTH = 24;

  /** QEMU's limit. */
  static final int MAX_NAME = 1023;

  /** There is none that we know; QEMU takes none at all. */
  static final int MAX_EXTRA = 1 << 16;

  /** Length of the longest record. */
  static final int MAX_LENGTH = FIXED_LENGTH + MAX_EXTRA + MAX_NAME;

  /** QEMU's limit for the data of one bitmap. */
  static final long MAX_DATA_BYTES = 512L << 20;

  /**
   * What the tables of all bitmaps of an image can have: as much as one of them by QEMU's limit, if
   * the clusters are the smallest. All are read, and their clusters remembered, before the first
   * write; holes in a made-up file cost it nothing.
   */
  static final long MAX_TABLE_BYTES = MAX_DATA_BYTES >> HeaderReader.MIN_CLUSTER_BITS << 3;

  /** Where a record has its flags. */
  static final int FLAGS_AT = 12;

  /** Somebody has it in memory, or had it when he went down: what is stored means nothing. */
  static final int IN_USE = 1;

  /** Every write to the disk has to be marked. */
  static final int AUTO = 1 << 1;

  /** Who does not know the extra data may use the bitmap all the same. */
  static final int EXTRA_DATA_COMPATIBLE = 1 << 2;

  private static final int KNOWN_FLAGS = IN_USE | AUTO | EXTRA_DATA_COMPATIBLE;

  private static final int TABLE_ENTRY_COUNT_AT = 8;
  private static final int TYPE_AT = 16;
  private static final int GRANULARITY_AT = 17;
  private static final int NAME_LENGTH_AT = 18;
  private static final int EXTRA_LENGTH_AT = 20;

  private static final byte TYPE_DIRTY_TRACKING = 1;

  BitmapRecord {
    extra = extra.slice().order(ByteOrder.BIG_ENDIAN).asReadOnlyBuffer();
  }

  /**
   * Returns how long a record is, without the zeros behind it.
   *
   * @param rules that name the record
   * @param start its first {@link #FIXED_LENGTH} bytes, from the position on
   * @throws CorruptImageException if its name or its extra data is longer than is allowed
   */
  static int lengthOf(HeaderRules rules, ByteBuffer start) throws CorruptImageException {
    ByteBuffer bytes = start.slice().order(ByteOrder.BIG_ENDIAN);
    return FIXED_LENGTH + extraLength(rules, bytes) + nameLength(rules, bytes);
  }

  /**
   * Reads a record.
   *
   * @param rules that name it
   * @param clusterSize of the image, in bytes
   * @param record all of it from position to limit, of any byte order
   * @throws CorruptImageException if a field breaks its rule
   */
  static BitmapRecord parse(HeaderRules rules, int clusterSize, ByteBuffer record)
      throws CorruptImageException {
    ByteBuffer bytes = record.slice().order(ByteOrder.BIG_ENDIAN);
    int nameAt = FIXED_LENGTH + extraLength(rules, bytes);
    byte[] name = new byte[nameLength(rules, bytes)];
    bytes.slice(nameAt, name.length).get(name);
    rules.require(bytes.getLong(0) != 0, "bitmap_table_offset", "0 is where the header is");
    int flags = bytes.getInt(FLAGS_AT);
    rules.require(
        (flags & ~KNOWN_FLAGS) == 0, "flags", HeaderRules.hex(flags) + " has unknown bits");
    rules.range("type", bytes.get(TYPE_AT) & 0xff, TYPE_DIRTY_TRACKING, TYPE_DIRTY_TRACKING);
    return new BitmapRecord(
        rules.offset("bitmap_table_offset", bytes.getLong(0), clusterSize),
        rules.range(
            "bitmap_table_size",
            Integer.toUnsignedLong(bytes.getInt(TABLE_ENTRY_COUNT_AT)),
            1,
            MAX_DATA_BYTES / clusterSize),
        flags,
        rules.range(
            "granularity_bits",
            bytes.get(GRANULARITY_AT) & 0xff,
            DirtyBitmap.MIN_GRANULARITY_BITS,
            DirtyBitmap.MAX_GRANULARITY_BITS),
        ByteBuffer.allocate(nameAt - FIXED_LENGTH)
            .put(bytes.slice(FIXED_LENGTH, nameAt - FIXED_LENGTH))
            .flip(),
        HostName.decode(name));
  }

  private static int extraLength(HeaderRules rules, ByteBuffer bytes) throws CorruptImageException {
    return rules.range(
        "extra_data_size", Integer.toUnsignedLong(bytes.getInt(EXTRA_LENGTH_AT)), 0, MAX_EXTRA);
  }

  private static int nameLength(HeaderRules rules, ByteBuffer bytes) throws CorruptImageException {
    return rules.range(
        "name_size", Short.toUnsignedLong(bytes.getShort(NAME_LENGTH_AT)), 1, MAX_NAME);
  }

  /**
   * Writes the record and the zeros behind it at the target's position.
   *
   * @param target of any byte order; left behind the zeros
   */
  void encode(ByteBuffer target) {
    byte[] nameBytes = HostName.encode(name);
    ByteBuffer bytes = target.slice().order(ByteOrder.BIG_ENDIAN);
    bytes.putLong(tableOffset).putInt(tableEntryCount).putInt(flags);
    bytes.put(TYPE_DIRTY_TRACKING).put((byte) granularityBits).putShort((short) nameBytes.length);
    bytes.putInt(extra.limit()).put(extra.duplicate()).put(nameBytes);
    while (!Alignment.isAligned(bytes.position(), Long.BYTES)) {
      bytes.put((byte) 0);
    }
    target.position(target.position() + bytes.position());
  }

  /** Returns how many bytes {@link #encode} writes. */
  int encodedLength() {
    int length = FIXED_LENGTH + extra.limit() + HostName.encode(name).length;
    return (int) Alignment.up(length, Long.BYTES);
  }

  /** Returns the length of the table in bytes. */
  long tableByteCount() {
    return (long) tableEntryCount * Long.BYTES;
  }

  boolean isInUse() {
    return (flags & IN_USE) != 0;
  }

  boolean isAuto() {
    return (flags & AUTO) != 0;
  }

  /** Returns whether it has extra data without which it must not be used. */
  boolean isStrange() {
    return extra.hasRemaining() && (flags & EXTRA_DATA_COMPATIBLE) == 0;
  }

  /** Returns this record with other flags. */
  BitmapRecord withFlags(int otherFlags) {
    return new BitmapRecord(tableOffset, tableEntryCount, otherFlags, granularityBits, extra, name);
  }

  /** Returns this record with another table. */
  BitmapRecord withTable(long otherOffset, int otherEntryCount) {
    return new BitmapRecord(otherOffset, otherEntryCount, flags, granularityBits, extra, name);
  }

  /** Returns the name for a message on one line. */
  String printable() {
    return '"' + HostName.printable(name) + '"';
  }
}
