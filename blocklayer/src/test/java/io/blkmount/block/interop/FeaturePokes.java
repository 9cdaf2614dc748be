// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.interop;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/** What no tool puts on an image: single fields changed in place. */
final class FeaturePokes {
  static final String UNKNOWN_TEXT = "not ours";
  static final int ODD = 100;

  /** How long the state of a machine is, in bytes. */
  static final int STATE = 640 << 10;

  static final String UNKNOWN_FEATURE_NAME = "levitation";

  private static final int VERSION_AT = 4;
  private static final int LENGTH_AT = 24;
  private static final int SNAPSHOTS_AT = 64;
  private static final int INCOMPATIBLE_AT = 72;
  private static final int COMPATIBLE_AT = 80;
  private static final int AUTOCLEAR_AT = 88;
  private static final int HEADER_LENGTH_AT = 100;
  private static final int END = 0;
  private static final int UNKNOWN_EXTENSION_TYPE = 0x5eed5eed;
  private static final byte[] UNKNOWN_DATA = UNKNOWN_TEXT.getBytes(StandardCharsets.US_ASCII);
  private static final int FEATURE_NAMES = 0x6803f857;
  private static final int BITMAPS = 0x23852875;

  private static final int DIRECTORY_OFFSET_AT = 16;
  private static final int FLAGS_IN_DIRECTORY_AT = 12;

  private static final int STATE_LENGTH_AT = 32;
  private static final int LONG_STATE_LENGTH_AT = 40;

  private final Path image;

  FeaturePokes(Path image) {
    this.image = image;
  }

  void apply(Feature feature) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      switch (feature) {
        case UNKNOWN_COMPATIBLE_BIT -> putLong(file, COMPATIBLE_AT, 1L << 40);
        case UNKNOWN_AUTOCLEAR_BIT -> putLong(file, AUTOCLEAR_AT, 1L << 40);
        case UNKNOWN_INCOMPATIBLE_BIT -> nameUnknownBit(file);
        case UNKNOWN_EXTENSION -> append(file, UNKNOWN_EXTENSION_TYPE, UNKNOWN_DATA);
        case INCONSISTENT_BITMAP -> markInUse(file);
        case VM_STATE -> sayHowLongTheStateIs(file);
        case ODD_LENGTH -> putLong(file, LENGTH_AT, getLong(file, LENGTH_AT) - ODD);
        case TRUNCATED_LAST_CLUSTER -> cutZeros(file);
        default -> {}
      }
    }
  }

  private static void nameUnknownBit(RandomAccessFile file) throws IOException {
    int firstName = offsetOf(file, FEATURE_NAMES) + 8;
    if (firstName < 8) { // qemu-img names nothing in small clusters
      firstName = append(file, FEATURE_NAMES, new byte[48]);
    }
    file.seek(firstName);
    file.writeByte(0);
    file.writeByte(40);
    file.write((UNKNOWN_FEATURE_NAME + '\0').getBytes(StandardCharsets.US_ASCII));
    putLong(file, INCOMPATIBLE_AT, 1L << 40);
  }

  /** Adds an extension behind the last one; returns where its data begins. */
  private static int append(RandomAccessFile file, int type, byte[] data) throws IOException {
    int at = offsetOf(file, END);
    file.seek(at);
    file.writeInt(type);
    file.writeInt(data.length);
    file.write(data);
    file.write(new byte[(-data.length & 7) + 8]); // and the new end
    return at + 8;
  }

  private static void markInUse(RandomAccessFile file) throws IOException {
    int extension = offsetOf(file, BITMAPS);
    long directory = getLong(file, extension + 8 + DIRECTORY_OFFSET_AT);
    file.seek(directory + FLAGS_IN_DIRECTORY_AT);
    int flags = file.readInt();
    file.seek(directory + FLAGS_IN_DIRECTORY_AT);
    file.writeInt(flags | 1);
  }

  /** qemu-img keeps the state that there is, but only a running machine says how long it is. */
  private static void sayHowLongTheStateIs(RandomAccessFile file) throws IOException {
    long entry = getLong(file, SNAPSHOTS_AT);
    file.seek(entry + STATE_LENGTH_AT);
    file.writeInt(STATE);
    putLong(file, entry + LONG_STATE_LENGTH_AT, STATE);
  }

  /** Cuts the file in its last cluster, where only zeros follow. */
  private static void cutZeros(RandomAccessFile file) throws IOException {
    long end = file.length();
    byte[] sector = new byte[512];
    while (end > 0 && end > file.length() - (64 << 10)) {
      file.seek(end - sector.length);
      file.readFully(sector);
      if (!Arrays.equals(sector, new byte[512])) {
        break;
      }
      end -= sector.length;
    }
    file.setLength(end);
  }

  /** Returns where a header extension begins, or -1. */
  private static int offsetOf(RandomAccessFile file, int type) throws IOException {
    int at = getInt(file, VERSION_AT) == 2 ? 72 : getInt(file, HEADER_LENGTH_AT);
    while (getInt(file, at) != type) {
      if (getInt(file, at) == END) {
        return -1;
      }
      at += 8 + (getInt(file, at + 4) + 7 & -8);
    }
    return at;
  }

  private static int getInt(RandomAccessFile file, long at) throws IOException {
    file.seek(at);
    return file.readInt();
  }

  static long getLong(RandomAccessFile file, long at) throws IOException {
    file.seek(at);
    return file.readLong();
  }

  private static void putLong(RandomAccessFile file, long at, long value) throws IOException {
    file.seek(at);
    file.writeLong(value);
  }

  /** Says what of the pokes is still there after the image was written to. */
  static String kept(Feature feature, Path image) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "r")) {
      return switch (feature) {
        case UNKNOWN_COMPATIBLE_BIT -> String.valueOf(getLong(file, COMPATIBLE_AT) >>> 40);
        case UNKNOWN_AUTOCLEAR_BIT -> String.valueOf(getLong(file, AUTOCLEAR_AT) >>> 40);
        case UNKNOWN_EXTENSION -> unknownData(file);
        case VM_STATE ->
            String.valueOf(getLong(file, getLong(file, SNAPSHOTS_AT) + LONG_STATE_LENGTH_AT));
        default -> "";
      };
    }
  }

  private static String unknownData(RandomAccessFile file) throws IOException {
    byte[] data = new byte[UNKNOWN_DATA.length];
    file.seek(offsetOf(file, UNKNOWN_EXTENSION_TYPE) + 8);
    file.readFully(data);
    return new String(data, StandardCharsets.US_ASCII);
  }
}
