// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Changes in place what the header says of the bitmap directory. A power cut leaves the old or the
 * new state: an extension is valid only while its autoclear bit is set, so whatever takes more than
 * one sector is done while it is not.
 *
 * <p>The caller sees to it that nobody else changes the header meanwhile.
 */
final class BitmapsExtension {
  /** What a disk writes whole or not at all. */
  private static final int SECTOR = 512;

  /** The whole record. */
  private static final int LENGTH = HeaderExtensions.RECORD_HEAD + HeaderExtensions.BITMAPS_LENGTH;

  private static final int NONE = -1;

  private final Metadata metadata;

  BitmapsExtension(Metadata metadata) {
    this.metadata = metadata;
  }

  /**
   * The first cluster as it is on the disk.
   *
   * @param bytes all of it
   * @param recordAt where the bitmaps extension is, or {@link #NONE}
   * @param endAt where the end mark is, or what limits the extensions
   * @param limit what limits them: the backing file's name, or the end of the cluster
   */
  private record FirstCluster(ByteBuffer bytes, int recordAt, int endAt, int limit) {
    boolean isValid() {
      return recordAt != NONE && (autoclear() & FeatureBits.BITMAPS) != 0;
    }

    long autoclear() {
      return bytes.getLong(Qcow2Header.AUTOCLEAR_FEATURES_AT);
    }
  }

  private FirstCluster read() throws IOException {
    ByteBuffer bytes = BouncePool.allocate(metadata.geometry().clusterSize());
    metadata.file().read(0, bytes);
    bytes.flip();
    long nameAt = bytes.getLong(Qcow2Header.BACKING_NAME_OFFSET_AT);
    int limit = nameAt == 0 ? bytes.limit() : (int) nameAt;
    int recordAt = NONE;
    int at = metadata.header().headerLength();
    while (at + HeaderExtensions.RECORD_HEAD <= limit && bytes.getInt(at) != HeaderExtensions.END) {
      if (bytes.getInt(at) == HeaderExtensions.BITMAPS) {
        recordAt = at;
      }
      int length = bytes.getInt(at + Integer.BYTES);
      at += HeaderExtensions.RECORD_HEAD + (int) Alignment.up(length, Long.BYTES);
    }
    return new FirstCluster(bytes, recordAt, Math.min(at, limit), limit);
  }

  /**
   * Lets the header point to another directory, or to the first one.
   *
   * @param pointer to what is durable already
   * @throws BlockException {@code NO_SPACE} if the first cluster has no room for it
   * @throws IOException if it failed; the header durably points there not, but perhaps nowhere
   * @throws HeaderFields.UndecidedException if it failed and that is not sure
   */
  void point(BitmapsPointer pointer) throws IOException {
    FirstCluster start = read();
    ByteBuffer content = content(pointer);
    int contentAt = start.recordAt + HeaderExtensions.RECORD_HEAD;
    if (start.isValid() && isInOneSector(contentAt, HeaderExtensions.BITMAPS_LENGTH)) {
      ByteBuffer before = start.bytes.slice(contentAt, HeaderExtensions.BITMAPS_LENGTH);
      new HeaderFields(metadata)
          .switchRecord(
              contentAt, before.position(before.limit()), content.position(content.limit()));
      return;
    }
    turnBitOff(start);
    if (start.recordAt == NONE) {
      insert(start, content);
    } else {
      write(contentAt, content);
    }
    metadata.file().flush();
    new HeaderFields(metadata).switchAutoclear(others(start), others(start) | FeatureBits.BITMAPS);
  }

  private static ByteBuffer content(BitmapsPointer pointer) {
    return ByteBuffer.allocate(HeaderExtensions.BITMAPS_LENGTH)
        .putInt(pointer.count())
        .putInt(0)
        .putLong(pointer.directoryLength())
        .putLong(pointer.directoryOffset())
        .flip();
  }

  private static boolean isInOneSector(int at, int length) {
    return at / SECTOR == (at + length - 1) / SECTOR;
  }

  /** Puts the record where the end mark is, and the end mark behind it. */
  private void insert(FirstCluster start, ByteBuffer content) throws IOException {
    int end = start.endAt + LENGTH + HeaderExtensions.RECORD_HEAD;
    if (end > start.limit) {
      moveBackingName(start, end);
    }
    // Zeros first: whatever part of the record gets to the disk, an end mark is behind it.
    write(start.endAt, ByteBuffer.allocate(end - start.endAt));
    metadata.file().flush();
    ByteBuffer record = ByteBuffer.allocate(LENGTH);
    record.putInt(HeaderExtensions.BITMAPS).putInt(HeaderExtensions.BITMAPS_LENGTH).put(content);
    write(start.endAt, record.flip());
  }

  /** Copies the name behind both its old place and the record, durably, and points there. */
  private void moveBackingName(FirstCluster start, int end) throws IOException {
    int length = metadata.header().backingNameLength();
    boolean isThere = start.limit < start.bytes.limit() && length > 0;
    int from = isThere ? start.limit : 0;
    int to = (int) Alignment.up(Math.max(end, from + length), Long.BYTES);
    if (!isThere || to + length > start.bytes.limit()) {
      throw new BlockException(
          BlockError.NO_SPACE,
          metadata.file().name()
              + ": the first cluster of "
              + start.bytes.limit()
              + " bytes has no room for the bitmaps extension");
    }
    write(to, start.bytes.slice(from, length));
    metadata.file().flush();
    write(Qcow2Header.BACKING_NAME_OFFSET_AT, ByteBuffer.allocate(8).putLong(to).flip());
    metadata.file().flush();
  }

  /**
   * Takes the extension out of the header. One that others follow stays, and is not valid any more.
   *
   * @throws IOException if it failed; the extension may be valid or not
   */
  void remove() throws IOException {
    FirstCluster start = read();
    turnBitOff(start);
    if (start.recordAt != NONE && start.recordAt + LENGTH == start.endAt) {
      write(start.recordAt, ByteBuffer.allocate(LENGTH));
      metadata.file().flush();
    }
  }

  private static long others(FirstCluster start) {
    return start.autoclear() & ~FeatureBits.BITMAPS;
  }

  private void turnBitOff(FirstCluster start) throws IOException {
    new HeaderFields(metadata).writeAutoclear(others(start));
    metadata.file().flush();
  }

  private void write(int at, ByteBuffer bytes) throws IOException {
    metadata.file().write(at, bytes, WriteFlags.NONE);
  }
}
