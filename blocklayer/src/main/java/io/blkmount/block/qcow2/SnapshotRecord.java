// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.InternalSnapshot;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.error.CorruptImageException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Instant;

/**
 * An internal snapshot as the snapshot table has it, big endian.
 *
 * <pre>
 *  0 l1_table_offset (8)    8 l1_size (4)          12 id_str_size (2)    14 name_size (2)
 * 16 date_sec (4)          20 date_nsec (4)        24 vm_clock_nsec (8)
 * 32 vm_state_size (4)     36 extra_data_size (4)
 * 40 extra data: | 0 vm_state_size (8) | 8 disk size (8) | 16 icount (8) | not known ... |
 *    id | name | zeros to a multiple of 8
 * </pre>
 *
 * <p>Old writers left the extra data out, or the end of it; newer ones may put more behind. It is
 * kept as it is.
 *
 * @param l1TableOffset host offset in bytes
 * @param l1EntryCount entries of 8 bytes in the snapshot's L1 table
 * @param id by which users and tools call it; decoded by {@code HostName}, as is the name
 * @param name which may be empty, and not the only one of its kind
 * @param seconds since 1970 when it was taken; without sign
 * @param nanoseconds of that time
 * @param vmClockNanos how long the guest had run
 * @param vmStateLength32 what the field of 32 bits says; without sign
 * @param extra data, read-only, from 0 to its limit
 */
record SnapshotRecord(
    long l1TableOffset,
    int l1EntryCount,
    String id,
    String name,
    int seconds,
    int nanoseconds,
    long vmClockNanos,
    int vmStateLength32,
    ByteBuffer extra) {
  /** What {@link #diskLength} and {@link #icount} return if the image does not say. */
  static final long UNKNOWN = -1;

  /** Length of what comes before the extra data. */
  static final int FIXED_LENGTH = 40;

  /** QEMU's limit. */
  static final int MAX_EXTRA = 1024;

  /** Length of the longest record: both texts have their lengths in 16 bits. */
  static final int MAX_LENGTH = FIXED_LENGTH + MAX_EXTRA + 2 * 0xffff;

  private static final int L1_ENTRY_COUNT_AT = 8;
  private static final int ID_LENGTH_AT = 12;
  private static final int NAME_LENGTH_AT = 14;
  private static final int SECONDS_AT = 16;
  private static final int NANOSECONDS_AT = 20;
  private static final int VM_CLOCK_AT = 24;
  private static final int VM_STATE_LENGTH_AT = 32;
  private static final int EXTRA_LENGTH_AT = 36;

  private static final int EXTRA_VM_STATE_LENGTH_AT = 0;
  private static final int EXTRA_DISK_LENGTH_AT = 8;
  private static final int EXTRA_ICOUNT_AT = 16;
  private static final int KNOWN_EXTRA = 24;

  SnapshotRecord {
    extra = extra.slice().order(ByteOrder.BIG_ENDIAN).asReadOnlyBuffer();
  }

  /**
   * Returns the record of a new snapshot.
   *
   * @param l1 its L1 table
   * @param id unique in the image
   * @param snapshot what its user says of it
   * @param diskLength in bytes
   */
  static SnapshotRecord of(RootTable l1, String id, NewSnapshot snapshot, long diskLength) {
    long vmState = snapshot.vmStateLength();
    ByteBuffer extra = ByteBuffer.allocate(KNOWN_EXTRA);
    extra.putLong(vmState).putLong(diskLength).putLong(snapshot.icount());
    return new SnapshotRecord(
        l1.hostOffset(),
        l1.entryCount(),
        id,
        snapshot.name(),
        (int) snapshot.takenAt().getEpochSecond(),
        snapshot.takenAt().getNano(),
        snapshot.vmClockNanos(),
        vmState >>> Integer.SIZE == 0 ? (int) vmState : 0, // old readers see the disk alone then
        extra.flip());
  }

  /**
   * Returns how long a record is, without the zeros behind it.
   *
   * @param rules that name the record
   * @param start its first {@link #FIXED_LENGTH} bytes, from the position on
   * @throws CorruptImageException if it has more extra data than is allowed
   */
  static int lengthOf(HeaderRules rules, ByteBuffer start) throws CorruptImageException {
    ByteBuffer bytes = start.slice().order(ByteOrder.BIG_ENDIAN);
    return FIXED_LENGTH
        + extraLength(rules, bytes)
        + uint16(bytes, ID_LENGTH_AT)
        + uint16(bytes, NAME_LENGTH_AT);
  }

  /**
   * Reads a record.
   *
   * @param rules that name it
   * @param clusterSize of the image, in bytes
   * @param record all of it from position to limit, of any byte order
   * @throws CorruptImageException if a field breaks its rule
   */
  static SnapshotRecord parse(HeaderRules rules, int clusterSize, ByteBuffer record)
      throws CorruptImageException {
    ByteBuffer bytes = record.slice().order(ByteOrder.BIG_ENDIAN);
    int idAt = FIXED_LENGTH + extraLength(rules, bytes);
    int nameAt = idAt + uint16(bytes, ID_LENGTH_AT);
    SnapshotRecord parsed =
        new SnapshotRecord(
            rules.offset("l1_table_offset", bytes.getLong(0), clusterSize),
            rules.range(
                "l1_size", uint32(bytes, L1_ENTRY_COUNT_AT), 0, HeaderReader.MAX_L1_ENTRIES),
            text(bytes, idAt, nameAt),
            text(bytes, nameAt, nameAt + uint16(bytes, NAME_LENGTH_AT)),
            bytes.getInt(SECONDS_AT),
            bytes.getInt(NANOSECONDS_AT),
            bytes.getLong(VM_CLOCK_AT),
            bytes.getInt(VM_STATE_LENGTH_AT),
            copy(bytes, FIXED_LENGTH, idAt));
    rules.require(
        !parsed.knows(EXTRA_DISK_LENGTH_AT) || parsed.diskLength() >= 0,
        "disk size",
        Long.toUnsignedString(parsed.diskLength()) + " bytes is not below 2^63");
    return parsed;
  }

  private static int extraLength(HeaderRules rules, ByteBuffer bytes) throws CorruptImageException {
    return rules.range("extra_data_size", uint32(bytes, EXTRA_LENGTH_AT), 0, MAX_EXTRA);
  }

  private static ByteBuffer copy(ByteBuffer bytes, int from, int to) {
    return ByteBuffer.allocate(to - from).put(bytes.slice(from, to - from)).flip();
  }

  private static String text(ByteBuffer bytes, int from, int to) {
    return HostName.decode(copy(bytes, from, to).array());
  }

  private static int uint16(ByteBuffer bytes, int at) {
    return Short.toUnsignedInt(bytes.getShort(at));
  }

  private static long uint32(ByteBuffer bytes, int at) {
    return Integer.toUnsignedLong(bytes.getInt(at));
  }

  /**
   * Writes the record and the zeros behind it at the target's position.
   *
   * @param target of any byte order; left behind the zeros
   */
  void encode(ByteBuffer target) {
    byte[] idBytes = HostName.encode(id);
    byte[] nameBytes = HostName.encode(name);
    ByteBuffer bytes = target.slice().order(ByteOrder.BIG_ENDIAN);
    bytes.putLong(l1TableOffset).putInt(l1EntryCount);
    bytes.putShort((short) idBytes.length).putShort((short) nameBytes.length);
    bytes.putInt(seconds).putInt(nanoseconds).putLong(vmClockNanos);
    bytes.putInt(vmStateLength32).putInt(extra.limit());
    bytes.put(extra.duplicate()).put(idBytes).put(nameBytes);
    while (!Alignment.isAligned(bytes.position(), Long.BYTES)) {
      bytes.put((byte) 0);
    }
    target.position(target.position() + bytes.position());
  }

  /** Returns how many bytes {@link #encode} writes. */
  int encodedLength() {
    int texts = HostName.encode(id).length + HostName.encode(name).length;
    return (int) Alignment.up(FIXED_LENGTH + extra.limit() + texts, Long.BYTES);
  }

  /** Returns the length of the L1 table in bytes. */
  long l1ByteCount() {
    return (long) l1EntryCount * Long.BYTES;
  }

  /** Returns the length of the saved state of the machine in bytes, 0 if there is none. */
  long vmStateLength() {
    return knows(EXTRA_VM_STATE_LENGTH_AT)
        ? extra.getLong(EXTRA_VM_STATE_LENGTH_AT)
        : Integer.toUnsignedLong(vmStateLength32);
  }

  /** Returns the length of the snapshot's disk in bytes, or {@link #UNKNOWN}. */
  long diskLength() {
    return knows(EXTRA_DISK_LENGTH_AT) ? extra.getLong(EXTRA_DISK_LENGTH_AT) : UNKNOWN;
  }

  /** Returns how many instructions the guest had run, or {@link #UNKNOWN}. */
  long icount() {
    return knows(EXTRA_ICOUNT_AT) ? extra.getLong(EXTRA_ICOUNT_AT) : UNKNOWN;
  }

  private boolean knows(int fieldAt) {
    return extra.limit() >= fieldAt + Long.BYTES;
  }

  /**
   * Returns what users see of it.
   *
   * @param length of the disk in bytes, for one that does not say its own
   */
  InternalSnapshot toInternalSnapshot(long length) {
    return new InternalSnapshot(
        id,
        name,
        Instant.ofEpochSecond(Integer.toUnsignedLong(seconds), Integer.toUnsignedLong(nanoseconds)),
        vmClockNanos,
        icount(),
        vmStateLength(),
        diskLength() == UNKNOWN ? length : diskLength());
  }

  /** Returns id and name for a message on one line. */
  String printable() {
    return "\"" + HostName.printable(id) + "\" (\"" + HostName.printable(name) + "\")";
  }
}
