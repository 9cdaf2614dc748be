// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Walks the bitmap directory, the tables of all bitmaps and what these refer to.
 *
 * <pre>
 * 0 table offset (8)   8 table entries (4)  12 flags (4)   16 type (1)   17 granularity bits (1)
 * 18 name length (2)  20 extra length (4)   24 extra data, name, padded to 8
 *
 * table entry | 56..63 0 | 9..55 host offset | 1..8 0 | 0: all ones, if there is no offset |
 * </pre>
 */
final class BitmapWalk {
  private static final int HEAD = 24;
  private static final int TABLE_ENTRIES_AT = 8;
  private static final int FLAGS_AT = 12;
  private static final int TYPE_AT = 16;
  private static final int GRANULARITY_AT = 17;
  private static final int NAME_LENGTH_AT = 18;
  private static final int EXTRA_LENGTH_AT = 20;

  /** Nobody loads such a bitmap: its table may have been made for another length of the disk. */
  private static final int IN_USE = 1;

  /** In use, auto, extra data compatible. */
  private static final int KNOWN_FLAGS = 7;

  private static final int TYPE_DIRTY_TRACKING = 1;

  /** QEMU's limits. */
  private static final int MIN_GRANULARITY_BITS = 9;

  private static final int MAX_GRANULARITY_BITS = 31;
  private static final int MAX_NAME = 1023;
  private static final long MAX_TABLE_ENTRIES = 0x800_0000;

  private static final long RESERVED = 0xff00_0000_0000_01feL;
  private static final long ALL_ONES = 1;

  private final CheckedImage image;
  private final HostReferences references;
  private final CheckTally tally;
  private final OverlappingRanges tables = new OverlappingRanges();
  private final OverlappingRanges tablesInFile = new OverlappingRanges();

  BitmapWalk(CheckedImage image, HostReferences references, CheckTally tally) {
    this.image = image;
    this.references = references;
    this.tally = tally;
  }

  void walk() throws IOException {
    BitmapsPointer directory = image.extensions().bitmaps();
    if (directory != null) {
      long offset = directory.directoryOffset();
      references.own("bitmap directory", offset, directory.directoryLength());
      walkDirectory(offset, offset + directory.directoryLength(), directory.count());
      references.own(tablesInFile);
      tables.forEachPiece(
          Long.BYTES,
          (start, end, weight) ->
              image.forEachEntry(start, end, (at, entry) -> visit(at, entry, weight)));
    }
  }

  private void walkDirectory(long start, long end, int count) throws IOException {
    long at = start;
    for (int i = 0; i < count; i++) {
      ByteBuffer head = image.read(at, ByteBuffer.allocate(HEAD));
      long next = at + entryLength(head);
      if (next > end) {
        tally.corruption(1, () -> "bitmap directory: it ends before the last of " + count);
        return;
      }
      addBitmap(i, head);
      at = next;
    }
    if (at != end) {
      tally.corruption(1, () -> "bitmap directory: longer than its " + count + " entries");
    }
  }

  private static long entryLength(ByteBuffer head) {
    long extra = Integer.toUnsignedLong(head.getInt(EXTRA_LENGTH_AT));
    int name = Short.toUnsignedInt(head.getShort(NAME_LENGTH_AT));
    return Alignment.up(HEAD + extra + name, Long.BYTES);
  }

  private void addBitmap(int index, ByteBuffer head) {
    String problem = problem(head);
    if (problem != null) {
      tally.corruption(1, () -> "bitmap " + index + ": " + problem);
    }
    long offset = head.getLong(0);
    long entries = Integer.toUnsignedLong(head.getInt(TABLE_ENTRIES_AT));
    if (isTable(offset, entries)) {
      tables.add(offset, entries * Long.BYTES);
      if (references.isInFile(offset, entries * Long.BYTES)) {
        tablesInFile.add(offset, entries * Long.BYTES);
      } else {
        references.reportOutside("table of bitmap " + index, offset, entries * Long.BYTES);
      }
    }
  }

  private @Nullable String problem(ByteBuffer head) {
    int granularity = head.get(GRANULARITY_AT) & 0xff;
    int nameLength = Short.toUnsignedInt(head.getShort(NAME_LENGTH_AT));
    long entries = Integer.toUnsignedLong(head.getInt(TABLE_ENTRIES_AT));
    if (!isTable(head.getLong(0), entries)) {
      return "a table of "
          + entries
          + " entries at host offset "
          + HeaderRules.hex(head.getLong(0));
    }
    if ((head.getInt(FLAGS_AT) & ~KNOWN_FLAGS) != 0) {
      return "reserved flags are set";
    }
    if (head.get(TYPE_AT) != TYPE_DIRTY_TRACKING) {
      return "type " + (head.get(TYPE_AT) & 0xff);
    }
    if (granularity < MIN_GRANULARITY_BITS || granularity > MAX_GRANULARITY_BITS) {
      return "granularity of 2^" + granularity;
    }
    if (nameLength == 0 || nameLength > MAX_NAME) {
      return "a name of " + nameLength + " bytes";
    }
    long needed =
        BitmapTables.entryCount(image.header().length(), granularity, image.clusterSize());
    boolean isLoaded = (head.getInt(FLAGS_AT) & IN_USE) == 0;
    return isLoaded && entries != needed
        ? "a table of " + entries + " entries, not " + needed
        : null;
  }

  private boolean isTable(long offset, long entries) {
    return offset > 0
        && offset < HeaderRules.MAX_HOST_OFFSET
        && image.isClusterAligned(offset)
        && entries > 0
        && entries <= MAX_TABLE_ENTRIES;
  }

  private void visit(long at, long entry, long weight) {
    long offset = entry & L1Entry.OFFSET_MASK;
    if ((entry & RESERVED) != 0 || (offset != 0 && (entry & ALL_ONES) != 0)) {
      report(at, entry, weight, "reserved bits are set");
    } else if (!image.isClusterAligned(offset)) {
      report(at, entry, weight, "not on a cluster boundary");
    } else if (offset != 0 && !references.add(offset, image.clusterSize(), weight)) {
      report(at, entry, weight, "past the end of the file");
    }
  }

  private void report(long at, long entry, long weight, String problem) {
    tally.corruption(
        weight,
        () ->
            "bitmap table entry "
                + HeaderRules.hex(entry)
                + " at host offset "
                + HeaderRules.hex(at)
                + ": "
                + problem);
  }
}
