// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Layout;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Changes one word of an image's metadata, and compares with what qemu-img says to that. */
final class Qcow2CheckRandomDamageTest {
  private static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

  /** Where we count more, or another way; see {@code Qcow2Check}. */
  private static final Predicate<String> DIFFERENT =
      Pattern.compile(
              "nothing may share|L2 table is not on a cluster|refcount table entry .* reserved"
                  + "|refcount table entry .* 0x[0-9a-f]{16} is past|more than a refcount can"
                  + "|flags, but no L2 table|both allocated and zero"
                  + "|with subclusters|with the COPIED flag"
                  + "|L2 entry 0x[0-9a-f]*[13579bdf] at .* reserved bits are set")
          .asPredicate();

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "compat=0.10,cluster_size=512",
        "cluster_size=512,refcount_bits=1",
        "cluster_size=4k,refcount_bits=2",
        "cluster_size=64k",
        "cluster_size=512,refcount_bits=64",
        "cluster_size=16k,extended_l2=on",
      })
  void countsAsQemuImg(String options) throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "4M", options);
    long seed = System.nanoTime();
    SplittableRandom random = new SplittableRandom(seed);
    QemuImg.io(file, requests(random));
    if (!options.endsWith("refcount_bits=1")) {
      QemuImg.img("snapshot", "-c", "one", file);
      QemuImg.io(file, requests(random));
    }
    PagedBytes image = Images.load(file);
    for (int i = 0; i < 12 * Images.SCALE; i++) {
      PagedBytes damaged = image.copy();
      String damage = damage(damaged, random);
      Images.store(damaged, file);
      compare(file, damaged, options + " seed " + seed + " " + damage);
    }
  }

  private static String[] requests(SplittableRandom random) {
    List<String> requests = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      int length = (1 + random.nextInt(128)) * 512;
      int offset = random.nextInt((4 << 20) / 512 - 128) * 512;
      requests.add((i % 4 == 0 ? "write -z " : "write -P 5 ") + offset + " " + length);
    }
    return requests.toArray(String[]::new);
  }

  private static String damage(PagedBytes image, SplittableRandom random) throws IOException {
    Qcow2Layout layout = Qcow2Layout.parse(image);
    if (random.nextInt(12) == 0) {
      image.setLength(image.length() - random.nextLong(3L * layout.clusterSize()));
      return "length " + image.length();
    }
    List<Long> words = usedWords(image, layout);
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
    for (long at = offset; at < offset + length; at += 8) {
      if (image.getLong(at) != 0) {
        words.add(at);
      }
    }
  }

  private static void compare(Path file, PagedBytes image, String context) throws IOException {
    QemuImg.Check theirs = QemuImg.check(file);
    CheckRun ours;
    try {
      ours = CheckRun.of(image);
    } catch (BlockException e) {
      assertThat(theirs.exitCode()).as(context + e).isEqualTo(1);
      return;
    }
    String said = context + "\nours: " + ours.texts() + "\ntheirs: " + theirs.output();
    boolean isComparable =
        theirs.output().contains("\"filename\"") && ours.texts().stream().noneMatch(DIFFERENT);
    if (isComparable) {
      assertThat(ours.counts()).as(said).isEqualTo(CheckRun.qemuCounts(theirs.output()));
    } else if (!theirs.isConsistent()) {
      assertThat(ours.isConsistent()).as(said).isFalse();
    }
  }
}
