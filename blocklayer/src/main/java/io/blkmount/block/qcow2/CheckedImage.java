// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * An image under a check: what its header says, and its file.
 *
 * @param file only read
 * @param header of the image, checked
 * @param extensions of the image, checked
 * @param fileLength in bytes, at the start of the check
 * @param excessSnapshots how many more there are than may be; the header has as many as may be
 * @param holes of the file that are not read
 */
record CheckedImage(
    BlockIo file,
    Qcow2Header header,
    HeaderExtensions extensions,
    long fileLength,
    int excessSnapshots,
    FileHoles holes) {
  /** Enough for the fixed header of any version. */
  private static final int HEADER_READ = 512;

  /** How much of a table is read at once. */
  private static final int PIECE = 1 << 18;

  /** As in QEMU; the counters of more clusters would take 4 GiB. */
  private static final long MAX_CLUSTERS = Integer.MAX_VALUE;

  /** Takes one entry of a table. */
  @FunctionalInterface
  interface EntryVisitor {
    /**
     * Takes an entry.
     *
     * @param at host offset of the entry, in bytes
     * @param entry its 8 bytes
     * @throws IOException if what the entry leads to cannot be read
     */
    void visit(long at, long entry) throws IOException;
  }

  static CheckedImage read(String imageName, BlockIo file) throws IOException {
    long length = file.length();
    ByteBuffer bytes = start(file, HEADER_READ);
    int excess = takeExcessSnapshots(bytes);
    Qcow2Header header = Qcow2Header.parse(imageName, bytes, length);
    HeaderExtensions extensions =
        HeaderExtensions.parse(imageName, header, start(file, header.clusterSize()));
    FeatureBits.requireKnown(imageName, header, extensions);
    CheckedImage image =
        new CheckedImage(file, header, extensions, length, excess, new FileHoles(file));
    if (image.clusterCount() > MAX_CLUSTERS) {
      throw new BlockException(
          BlockError.TOO_BIG,
          HeaderRules.forFields(imageName)
              .message(
                  "too large to check: "
                      + image.clusterCount()
                      + " clusters, at most "
                      + MAX_CLUSTERS
                      + " can be counted"));
    }
    return image;
  }

  /** Nobody else may open an image with so many; a repair can do something about it. */
  private static int takeExcessSnapshots(ByteBuffer header) {
    long count = Integer.toUnsignedLong(header.getInt(Qcow2Header.SNAPSHOT_COUNT_AT));
    if (count <= HeaderReader.MAX_SNAPSHOTS) {
      return 0;
    }
    header.putInt(Qcow2Header.SNAPSHOT_COUNT_AT, HeaderReader.MAX_SNAPSHOTS);
    return (int) Math.min(Integer.MAX_VALUE, count - HeaderReader.MAX_SNAPSHOTS);
  }

  /** Returns the image with another snapshot table. */
  CheckedImage withHeader(Qcow2Header changed) {
    return new CheckedImage(file, changed, extensions, fileLength, 0, holes);
  }

  private static ByteBuffer start(BlockIo file, int length) throws IOException {
    ByteBuffer start = BouncePool.allocate(length);
    file.read(0, start);
    return start.flip();
  }

  int clusterBits() {
    return header.clusterBits();
  }

  int clusterSize() {
    return header.clusterSize();
  }

  boolean isClusterAligned(long offset) {
    return (offset & (clusterSize() - 1)) == 0;
  }

  /** Returns how many clusters the file has; the last one may be short. */
  long clusterCount() {
    return fileLength == 0 ? 0 : ((fileLength - 1) >>> clusterBits()) + 1;
  }

  /** Returns how many clusters the virtual disk has, without a last sector that is short. */
  long guestClusterCount() {
    long sectors = header.length() >>> 9;
    return sectors == 0 ? 0 : (((sectors << 9) - 1) >>> clusterBits()) + 1;
  }

  boolean hasDataFile() {
    return header.hasIncompatible(FeatureBits.EXTERNAL_DATA_FILE);
  }

  boolean hasExtendedL2() {
    return header.hasIncompatible(FeatureBits.EXTENDED_L2);
  }

  /** Reads into {@code buffer} from start to capacity; zeros past the end of the file. */
  ByteBuffer read(long offset, ByteBuffer buffer) throws IOException {
    file.read(offset, buffer.clear());
    holes.note(buffer.flip());
    return buffer;
  }

  /**
   * Visits the 8-byte entries of a table that are not 0; there are none past the end of the file,
   * nor in its holes.
   *
   * @param start host offset of the first one, a multiple of 8
   * @param end host offset behind the last one, a multiple of 8
   */
  void forEachEntry(long start, long end, EntryVisitor visitor) throws IOException {
    long limit = Math.min(end, fileLength);
    try (BouncePool.Bounce bounce = BouncePool.take(PIECE)) {
      ByteBuffer piece = bounce.buffer();
      for (long at = holes.behind(start, limit); at < limit; at = holes.behind(at + PIECE, limit)) {
        file.read(at, piece.clear().limit((int) Math.min(PIECE, end - at)));
        holes.note(piece.flip());
        visitAll(at, piece, visitor);
      }
    }
  }

  /** Returns whether a cluster, which begins in the file, is to be taken for zeros. */
  boolean isHole(long offset) throws IOException {
    return holes.passes(offset, Math.min(offset + clusterSize(), fileLength));
  }

  private static void visitAll(long start, ByteBuffer piece, EntryVisitor visitor)
      throws IOException {
    for (int i = 0; i < piece.limit(); i += Long.BYTES) {
      long entry = piece.getLong(i);
      if (entry != 0) {
        visitor.visit(start + i, entry);
      }
    }
  }
}
