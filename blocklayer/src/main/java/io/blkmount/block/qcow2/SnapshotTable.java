// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The table of an image's internal snapshots: records one after the other, each at a multiple of 8.
 *
 * <p>It is gone through with one piece of it in memory, since one that was made to do harm may be
 * as long as the limit.
 */
final class SnapshotTable {
  /** QEMU's limit: 1024 bytes for each of as many snapshots as there may be. */
  static final int MAX_BYTES = 1024 * HeaderReader.MAX_SNAPSHOTS;

  /** Read at once: so much that a record never needs two reads. */
  private static final int WINDOW = 256 << 10;

  private final String imageName;
  private final BlockIo file;
  private final Qcow2Header header;

  /**
   * Creates the table; nothing is read yet.
   *
   * @param imageName for messages
   * @param file the image file
   * @param header of the image
   */
  SnapshotTable(String imageName, BlockIo file, Qcow2Header header) {
    this.imageName = imageName;
    this.file = file;
    this.header = header;
  }

  /** Looks at one snapshot. */
  interface Visitor {
    void visit(SnapshotRecord snapshot) throws IOException;
  }

  /**
   * Shows all snapshots in the order of the table.
   *
   * @return the length of the table in bytes, without the zeros behind its last record
   * @throws CorruptImageException if a field breaks its rule, or the table or the L1 table of a
   *     snapshot does not lie in the file
   * @throws IOException if the table cannot be read, or from the visitor
   */
  int forEach(Visitor visitor) throws IOException {
    return walk((rules, record, fileLength) -> visitor.visit(parse(rules, record, fileLength)));
  }

  /**
   * Does {@link #forEach} for snapshots that can be used: of one whose fields make no sense the
   * image's own disk needs nothing. It still fails where the table cannot be gone through.
   */
  int forEachUsable(Visitor visitor) throws IOException {
    return walk(
        (rules, record, fileLength) -> {
          SnapshotRecord snapshot;
          try {
            snapshot = parse(rules, record, fileLength);
          } catch (CorruptImageException unusable) {
            return;
          }
          visitor.visit(snapshot);
        });
  }

  /** Looks at the bytes of a record. */
  private interface RecordVisitor {
    void visit(HeaderRules rules, ByteBuffer record, long fileLength) throws IOException;
  }

  private int walk(RecordVisitor visitor) throws IOException {
    if (header.snapshotCount() == 0) {
      return 0;
    }
    try (BouncePool.Bounce bounce = BouncePool.take(WINDOW)) {
      return walk(bounce.buffer().limit(0), visitor);
    }
  }

  private int walk(ByteBuffer window, RecordVisitor visitor) throws IOException {
    long fileLength = file.length();
    int windowStart = 0;
    int end = 0;
    for (int index = 0; index < header.snapshotCount(); index++) {
      HeaderRules rules = HeaderRules.forSnapshot(imageName, index);
      int start = (int) Alignment.up(end, Long.BYTES);
      requireInFile(rules, start, SnapshotRecord.FIXED_LENGTH, fileLength);
      if (start - windowStart + SnapshotRecord.MAX_LENGTH > window.limit()) {
        file.read(header.snapshotTableOffset() + start, window.clear());
        windowStart = start;
      }
      window.position(start - windowStart);
      int length = SnapshotRecord.lengthOf(rules, window);
      requireInFile(rules, start, length, fileLength);
      visitor.visit(rules, window.slice(window.position(), length), fileLength);
      end = start + length;
    }
    return end;
  }

  private void requireInFile(HeaderRules rules, int start, int length, long fileLength)
      throws CorruptImageException {
    rules.require(
        start + length <= MAX_BYTES,
        "length",
        length + " bytes make the table longer than " + MAX_BYTES);
    long hostOffset = header.snapshotTableOffset() + start;
    rules.require(
        hostOffset + length <= fileLength, "length", notInFile(length, hostOffset, fileLength));
  }

  private SnapshotRecord parse(HeaderRules rules, ByteBuffer bytes, long fileLength)
      throws CorruptImageException {
    SnapshotRecord snapshot = SnapshotRecord.parse(rules, header.clusterSize(), bytes);
    rules.require(
        snapshot.l1TableOffset() + snapshot.l1ByteCount() <= fileLength,
        "l1_table_offset",
        notInFile(snapshot.l1ByteCount(), snapshot.l1TableOffset(), fileLength));
    return snapshot;
  }

  private static String notInFile(long length, long hostOffset, long fileLength) {
    return length
        + " bytes at host offset "
        + HeaderRules.hex(hostOffset)
        + " are not all in the file, whose length is "
        + fileLength;
  }

  /** Returns all snapshots; throws as {@link #forEach} does. */
  List<SnapshotRecord> read() throws IOException {
    List<SnapshotRecord> snapshots = new ArrayList<>();
    forEach(snapshots::add);
    return snapshots;
  }

  /**
   * Returns the header that the image had when a snapshot was taken, as far as it says where guest
   * data lies: for an image that shows this snapshot.
   *
   * @param idOrName an id, or else the name of the first snapshot that has it
   * @throws BlockException with {@code NOT_FOUND} if there is none
   * @throws CorruptImageException if its L1 table is too short for its disk, else as {@link
   *     #forEach}
   */
  Qcow2Header headerOf(String idOrName) throws IOException {
    Search search = new Search(idOrName);
    forEach(search);
    return headerOf(search.result(imageName));
  }

  /**
   * Finds a snapshot in a list.
   *
   * @param idOrName an id, or else the name of the first snapshot that has it
   * @throws BlockException with {@code NOT_FOUND} if there is none
   */
  SnapshotRecord find(List<SnapshotRecord> snapshots, String idOrName) throws BlockException {
    Search search = new Search(idOrName);
    snapshots.forEach(search::visit);
    return search.result(imageName);
  }

  private static final class Search implements Visitor {
    private final String wanted;
    private @Nullable SnapshotRecord byId;
    private @Nullable SnapshotRecord byName;

    Search(String wanted) {
      this.wanted = wanted;
    }

    @Override
    public void visit(SnapshotRecord snapshot) {
      byId = byId == null && snapshot.id().equals(wanted) ? snapshot : byId;
      byName = byName == null && snapshot.name().equals(wanted) ? snapshot : byName;
    }

    SnapshotRecord result(String imageName) throws BlockException {
      SnapshotRecord found = byId == null ? byName : byId;
      if (found == null) {
        throw new BlockException(
            BlockError.NOT_FOUND,
            HeaderRules.forFields(imageName)
                .message(
                    "no internal snapshot has the id or name \""
                        + HostName.printable(wanted)
                        + "\""));
      }
      return found;
    }
  }

  /**
   * Returns the table of some snapshots.
   *
   * @throws BlockException with {@code TOO_BIG} if there are too many, or they are too long
   */
  static ByteBuffer encode(List<SnapshotRecord> snapshots) throws BlockException {
    long length = snapshots.stream().mapToLong(SnapshotRecord::encodedLength).sum();
    if (snapshots.size() > HeaderReader.MAX_SNAPSHOTS || length > MAX_BYTES) {
      throw new BlockException(
          BlockError.TOO_BIG,
          String.format(
              "%d internal snapshots in a table of %d bytes: at most %d and %d are allowed",
              snapshots.size(), length, HeaderReader.MAX_SNAPSHOTS, MAX_BYTES));
    }
    ByteBuffer bytes = ByteBuffer.allocate((int) length);
    snapshots.forEach(snapshot -> snapshot.encode(bytes));
    return bytes.flip();
  }

  /**
   * Returns the header with the disk of a snapshot. Old images do not say how long that is: it
   * cannot have changed since.
   *
   * @throws CorruptImageException if its L1 table is too short for its disk
   */
  Qcow2Header headerOf(SnapshotRecord snapshot) throws CorruptImageException {
    long length = snapshot.diskLength();
    length = length == SnapshotRecord.UNKNOWN ? header.length() : length;
    boolean extendedL2 = header.hasIncompatible(FeatureBits.EXTENDED_L2);
    long needed = ClusterGeometry.l1EntriesFor(length, header.clusterBits(), extendedL2);
    if (snapshot.l1EntryCount() < needed) {
      throw new CorruptImageException(
          HeaderRules.forFields(imageName)
              .message(
                  "snapshot "
                      + snapshot.printable()
                      + ", field l1_size: "
                      + snapshot.l1EntryCount()
                      + " entries are too few for a disk of "
                      + length
                      + " bytes, which needs "
                      + needed));
    }
    return header.withDisk(snapshot.l1TableOffset(), snapshot.l1EntryCount(), length);
  }
}
