// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Layout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Makes images that are not quite right. */
final class RandomDamage {
  private static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

  private RandomDamage() {}

  /** Returns requests for qemu-io that fill a disk of 4 MiB here and there. */
  static String[] requests(SplittableRandom random) {
    List<String> requests = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      int length = (1 + random.nextInt(128)) * 512;
      int offset = random.nextInt((4 << 20) / 512 - 128) * 512;
      requests.add((i % 4 == 0 ? "write -z " : "write -P 5 ") + offset + " " + length);
    }
    return requests.toArray(String[]::new);
  }

  /** Changes one word of the metadata, or cuts the end off, and says which. */
  static String apply(PagedBytes image, SplittableRandom random) throws IOException {
    Qcow2Layout layout = Qcow2Layout.parse(image);
    if (random.nextInt(12) == 0) {
      image.setLength(image.length() - random.nextLong(3L * layout.clusterSize()));
      return "length " + image.length();
    }
    List<Long> words = usedWords(image, layout);
    if (words.isEmpty()) {
      return "nothing is left";
    }
    long at = words.get(random.nextInt(words.size()));
    long old = image.getLong(at);
    long mask =
        switch (random.nextInt(4)) {
          case 0 -> 1L << 63;
          case 1 -> 1L << random.nextInt(64);
          case 2 -> (long) layout.clusterSize() << random.nextInt(4);
          default -> old;
        };
    image.write(at, ByteBuffer.allocate(8).putLong(0, old ^ mask));
    return String.format("0x%x: 0x%x to 0x%x", at, old, old ^ mask);
  }

  /** Returns where the words of L1, L2, refcount table and blocks are that are not 0. */
  private static List<Long> usedWords(PagedBytes image, Qcow2Layout layout) {
    List<Long> words = new ArrayList<>();
    addUsed(image, layout.l1Offset(), layout.l1Size() * 8L, words);
    long refcountTableBytes = (long) layout.refcountTableClusters() << layout.clusterBits();
    addUsed(image, layout.refcountTableOffset(), refcountTableBytes, words);
    for (long word : List.copyOf(words)) {
      addUsed(image, image.getLong(word) & OFFSET_MASK, layout.clusterSize(), words);
    }
    return words;
  }

  private static void addUsed(PagedBytes image, long offset, long length, List<Long> words) {
    for (long at = offset; at < offset + length && at < image.length() - 7; at += 8) {
      if (image.getLong(at) != 0) {
        words.add(at);
      }
    }
  }
}
