// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Walks the snapshot table, from record to record.
 *
 * <pre>
 *  0 L1 offset (8)     8 L1 entries (4)      12 id length (2)     14 name length (2)
 * 16 ...              36 extra length (4)    40 extra data, id, name, padded to 8
 * </pre>
 */
final class SnapshotWalk {
  private static final int HEAD = 40;
  private static final int L1_ENTRIES_AT = 8;
  private static final int ID_LENGTH_AT = 12;
  private static final int NAME_LENGTH_AT = 14;
  private static final int EXTRA_LENGTH_AT = 36;

  /** Version 3 needs the length of the disk, which ends here. */
  private static final int MIN_EXTRA = 16;

  /** QEMU's limits. */
  private static final int MAX_EXTRA = 1024;

  private static final long MAX_TABLE = 1024L * HeaderReader.MAX_SNAPSHOTS;

  private final CheckedImage image;
  private final HostReferences references;
  private final L1Walk l1;
  private final CheckTally tally;

  SnapshotWalk(CheckedImage image, HostReferences references, L1Walk l1, CheckTally tally) {
    this.image = image;
    this.references = references;
    this.l1 = l1;
    this.tally = tally;
  }

  void walk() throws IOException {
    Qcow2Header header = image.header();
    if (header.snapshotCount() > 0 && image.hasDataFile()) {
      tally.corruption(1, () -> "internal snapshots in an image with a data file");
    }
    long start = header.snapshotTableOffset();
    long end = start;
    for (int i = 0; i < header.snapshotCount() && end - start <= MAX_TABLE; i++) {
      end = walk(i, Alignment.up(end, Long.BYTES));
    }
    if (end - start > MAX_TABLE) {
      tally.error(1, () -> "snapshot table: longer than " + MAX_TABLE + " bytes");
    } else {
      references.own("snapshot table", start, end - start);
    }
  }

  private long walk(int index, long at) throws IOException {
    ByteBuffer head = image.read(at, ByteBuffer.allocate(HEAD));
    String name = "snapshot " + index;
    long extra = uint32(head, EXTRA_LENGTH_AT);
    if (extra > MAX_EXTRA) {
      tally.error(1, () -> name + ": " + extra + " bytes of extra data, at most " + MAX_EXTRA);
    } else if (extra < MIN_EXTRA && image.header().version() >= 3) {
      tally.corruption(1, () -> name + ": " + extra + " bytes of extra data, needs " + MIN_EXTRA);
    }
    l1.addInactive(name, head.getLong(0), uint32(head, L1_ENTRIES_AT));
    return at + HEAD + extra + uint16(head, ID_LENGTH_AT) + uint16(head, NAME_LENGTH_AT);
  }

  private static long uint32(ByteBuffer bytes, int at) {
    return Integer.toUnsignedLong(bytes.getInt(at));
  }

  private static int uint16(ByteBuffer bytes, int at) {
    return Short.toUnsignedInt(bytes.getShort(at));
  }
}
