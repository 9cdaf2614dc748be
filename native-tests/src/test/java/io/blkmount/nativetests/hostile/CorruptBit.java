// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.hostile;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;

/** The mark that a damaged image gets, which would be one more damage where a table lies on it. */
final class CorruptBit {
  private static final int VERSION_AT = 4;
  private static final int FEATURES_AT = 72;
  private static final long CORRUPT = 2;

  private CorruptBit() {}

  static void clear(Path image) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.seek(VERSION_AT);
      if (file.length() > FEATURES_AT + Long.BYTES && file.readInt() == 3) {
        file.seek(FEATURES_AT);
        long features = file.readLong();
        file.seek(FEATURES_AT);
        file.writeLong(features & ~CORRUPT);
      }
    }
  }
}
