// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.hostile;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * What lies around an image, to see that nothing has changed.
 *
 * @param digests of the regular files
 */
record Surroundings(Map<Path, String> digests) {
  private static final int PIECE = 1 << 20;

  /** Returns what lies beside an image, and in the folder that images name to be caught. */
  static Surroundings of(Path image) throws IOException {
    Map<Path, String> digests = new TreeMap<>();
    add(image.getParent(), digests);
    add(image.getParent().resolveSibling("canary"), digests);
    return new Surroundings(digests);
  }

  private static void add(Path folder, Map<Path, String> digests) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.toList()) {
        if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
          digests.put(file, digest(file));
        }
      }
    }
  }

  private static String digest(Path file) throws IOException {
    CRC32C crc = new CRC32C();
    byte[] piece = new byte[PIECE];
    try (InputStream input = Files.newInputStream(file)) {
      for (int count = input.read(piece); count >= 0; count = input.read(piece)) {
        crc.update(piece, 0, count);
      }
    }
    return Files.size(file) + " " + crc.getValue();
  }

  /** Returns what lies here apart from one file. */
  Surroundings without(Path file) {
    Map<Path, String> others = new TreeMap<>(digests);
    others.remove(file);
    return new Surroundings(others);
  }
}
