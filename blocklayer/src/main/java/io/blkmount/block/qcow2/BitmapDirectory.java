// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The records of all persistent bitmaps, one after the other, each at a multiple of 8. Read with
 * one piece of it in memory.
 */
final class BitmapDirectory {
  /** Read at once: so much that a record never needs two reads. */
  private static final int WINDOW = 256 << 10;

  private final String imageName;
  private final BlockIo file;
  private final int clusterSize;
  private final BitmapsPointer pointer;

  /**
   * Creates the directory; nothing is read yet.
   *
   * @param imageName for messages
   * @param file the image file
   * @param clusterSize in bytes
   * @param pointer where it lies
   */
  BitmapDirectory(String imageName, BlockIo file, int clusterSize, BitmapsPointer pointer) {
    this.imageName = imageName;
    this.file = file;
    this.clusterSize = clusterSize;
    this.pointer = pointer;
  }

  /**
   * Returns all records in their order.
   *
   * @throws io.blkmount.block.error.CorruptImageException if a field breaks its rule, two have one
   *     name, or the directory is not as long as the header says or does not lie in the file
   * @throws IOException if it cannot be read
   */
  List<BitmapRecord> read() throws IOException {
    HeaderRules whole = HeaderRules.forExtensions(imageName);
    long fileLength = file.length();
    whole.require(
        pointer.directoryOffset() + pointer.directoryLength() <= fileLength,
        "bitmaps, directory offset",
        pointer.directoryLength()
            + " bytes at host offset "
            + HeaderRules.hex(pointer.directoryOffset())
            + " are not all in the file, whose length is "
            + fileLength);
    try (BouncePool.Bounce bounce = BouncePool.take(WINDOW)) {
      return readAll(bounce.buffer().limit(0));
    }
  }

  private List<BitmapRecord> readAll(ByteBuffer window) throws IOException {
    List<BitmapRecord> records = new ArrayList<>();
    Set<String> names = new HashSet<>();
    int windowStart = 0;
    int start = 0;
    for (int index = 0; index < pointer.count(); index++) {
      HeaderRules rules = HeaderRules.forBitmap(imageName, index);
      requireInside(rules, start, BitmapRecord.FIXED_LENGTH);
      if (start - windowStart + BitmapRecord.MAX_LENGTH > window.limit()) {
        file.read(pointer.directoryOffset() + start, window.clear());
        windowStart = start;
      }
      window.position(start - windowStart);
      int length = BitmapRecord.lengthOf(rules, window);
      requireInside(rules, start, length);
      BitmapRecord record =
          BitmapRecord.parse(rules, clusterSize, window.slice(window.position(), length));
      rules.require(names.add(record.name()), "name", record.printable() + " occurs twice");
      records.add(record);
      start = (int) Alignment.up(start + (long) length, Long.BYTES);
    }
    HeaderRules.forExtensions(imageName)
        .require(
            start == pointer.directoryLength(),
            "bitmaps, directory size",
            pointer.directoryLength() + ", but its records have " + start + " bytes");
    return records;
  }

  private void requireInside(HeaderRules rules, int start, int length) throws IOException {
    rules.require(
        start + (long) length <= pointer.directoryLength(),
        "length",
        length + " bytes end behind the directory's " + pointer.directoryLength());
  }

  /**
   * Returns the bytes of a directory.
   *
   * @param records in their order
   * @param clusterSize in bytes; zeros are added to a multiple of it
   */
  static ByteBuffer encode(List<BitmapRecord> records, int clusterSize) {
    int length = (int) Alignment.up(byteCount(records), clusterSize);
    ByteBuffer bytes = BouncePool.allocate(length);
    records.forEach(record -> record.encode(bytes));
    return bytes.rewind();
  }

  /** Returns how long a directory is, without the zeros behind it. */
  static long byteCount(List<BitmapRecord> records) {
    return records.stream().mapToLong(BitmapRecord::encodedLength).sum();
  }
}
