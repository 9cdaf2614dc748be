// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Layout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;

/**
 * Damages a sound image: words of its header, extensions, tables, snapshots, bitmap directory and
 * LUKS header, bytes of compressed clusters, the length of the file.
 */
final class ImageMutator {
  private static final int MAX_CHANGES = 4;

  /** No mutator needs to find every word of a table. */
  private static final int MAX_WORDS = 4_000;

  private final PagedBytes original;
  private final int clusterSize;

  /** Where 4-byte words are that are not 0: what the format has a meaning for. */
  private final List<Long> words;

  /** Where compressed clusters begin. */
  private final List<Long> streams;

  ImageMutator(PagedBytes original) throws IOException {
    Qcow2Layout layout = Qcow2Layout.parse(original);
    this.original = original;
    this.clusterSize = layout.clusterSize();
    Set<Long> clusters = new TreeSet<>(MetadataClusters.all(original));
    for (long area :
        new long[] {layout.snapshotsOffset(), layout.bitmapsOffset(), layout.cryptOffset()}) {
      clusters.add(area);
    }
    this.words = words(clusters);
    this.streams = streams(layout);
  }

  private List<Long> words(Set<Long> clusters) {
    List<Long> found = new ArrayList<>();
    for (long cluster : clusters) {
      ByteBuffer bytes = ByteBuffer.wrap(original.bytes(cluster, clusterSize));
      for (int at = 0; at < clusterSize && found.size() < MAX_WORDS; at += 4) {
        if (bytes.getInt(at) != 0) {
          found.add(cluster + at);
        }
      }
    }
    return found;
  }

  private List<Long> streams(Qcow2Layout layout) throws IOException {
    int step = (layout.incompatible() & FeatureBits.EXTENDED_L2) == 0 ? 8 : 16;
    List<Long> found = new ArrayList<>();
    for (long table : MetadataClusters.l2Tables(original)) {
      for (long at = table; at < table + clusterSize; at += step) {
        long entry = original.getLong(at);
        if (L2Entry.isCompressed(entry)) {
          found.add(CompressedCluster.decode(entry, layout.clusterBits()).hostOffset());
        }
      }
    }
    return found;
  }

  /** Returns a damaged copy. */
  PagedBytes mutated(SplittableRandom random) {
    PagedBytes image = original.copy();
    for (int left = random.nextInt(MAX_CHANGES); left >= 0; left--) {
      mutate(image, random);
    }
    return image;
  }

  private void mutate(PagedBytes image, SplittableRandom random) {
    int kind = random.nextInt(20);
    if (kind == 0) {
      image.setLength(random.nextLong(image.length() + 1));
    } else if (kind < 4 && !streams.isEmpty()) {
      long stream = streams.get(random.nextInt(streams.size()));
      put(image, stream + random.nextInt(64), 1, random.nextLong());
    } else {
      changeWord(image, random);
    }
  }

  /** Half of the words lie in the header's cluster, whatever the tables are like. */
  private void changeWord(PagedBytes image, SplittableRandom random) {
    long at = words.get(random.nextInt(words.size()));
    if (random.nextBoolean()) {
      at = 4L * random.nextInt(4, 64);
    }
    int width = random.nextBoolean() ? 4 : 8;
    at -= random.nextInt(4) == 0 ? at % width : 0;
    put(image, at, width, changed(word(image, at), random) >>> (64 - 8 * width));
  }

  /** Returns another word, in its highest bytes if it is shorter than a long. */
  private long changed(long old, SplittableRandom random) {
    return switch (random.nextInt(7)) {
      case 0, 1 -> old ^ 1L << random.nextInt(64);
      case 2 -> old + (long) clusterSize * (random.nextInt(5) - 2);
      case 3 -> word(original, words.get(random.nextInt(words.size())));
      case 4 -> EdgeValues.any(random) << 32;
      case 5 -> random.nextLong(original.length() + clusterSize) & -(long) clusterSize;
      default -> EdgeValues.any(random);
    };
  }

  /** Returns 8 bytes from a multiple of 4 on. */
  private static long word(PagedBytes image, long at) {
    return ByteBuffer.wrap(image.bytes(at, Long.BYTES)).getLong();
  }

  private static void put(PagedBytes image, long at, int width, long value) {
    ByteBuffer bytes = ByteBuffer.allocate(8).putLong(0, value);
    image.write(at, bytes.position(8 - width));
  }
}
