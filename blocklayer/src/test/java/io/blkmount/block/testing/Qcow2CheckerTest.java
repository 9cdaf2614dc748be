// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.Qcow2Checker.Findings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Holds the checker against qemu-img check, on sound images and on damaged ones. */
final class Qcow2CheckerTest {
  private static final int LENGTH = 4 << 20;

  private static final Predicate<String> STRICTER =
      Pattern.compile("references$|reserved bits in 0x.*1$").asPredicate();

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "compat=0.10,cluster_size=512",
        "compat=0.10,cluster_size=64k",
        "cluster_size=512,refcount_bits=1",
        "cluster_size=4k,refcount_bits=2",
        "cluster_size=64k,refcount_bits=4",
        "cluster_size=512,refcount_bits=8",
        "cluster_size=4k,refcount_bits=32",
        "cluster_size=512,refcount_bits=64",
        "cluster_size=2M,refcount_bits=16",
        "cluster_size=64k,extended_l2=on",
        "cluster_size=4k,preallocation=metadata",
      })
  void agreesWithQemuImgOnSoundAndDamagedImages(String options) throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", options);
    SplittableRandom random = new SplittableRandom(options.hashCode());
    QemuImg.io(file, requests(random));
    PagedBytes image = Images.load(file);
    assertThat(Qcow2Checker.check(image)).matches(Findings::isClean, options);
    assertReadsAsQemuImg(file, image);

    for (int i = 0; i < 12 * Images.SCALE; i++) {
      PagedBytes damaged = image.copy();
      String damage = damage(damaged, random);
      compare(damaged, options + " " + damage);
    }
  }

  private static String[] requests(SplittableRandom random) {
    List<String> requests = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      int offset = random.nextInt(LENGTH / 512 - 128) * 512;
      int length = (1 + random.nextInt(128)) * 512;
      String verb =
          switch (random.nextInt(8)) {
            case 0 -> "discard ";
            case 1 -> "write -z -u ";
            case 2 -> "write -z ";
            default -> "write -P " + (1 + random.nextInt(255)) + " ";
          };
      requests.add(verb + offset + " " + length);
    }
    return requests.toArray(new String[0]);
  }

  private void assertReadsAsQemuImg(Path file, PagedBytes image) throws IOException {
    Path raw = folder.resolve("image.raw");
    QemuImg.toRaw(file, raw);
    Qcow2Reader reader = new Qcow2Reader(image, new PagedBytes(0)::read);
    ByteBuffer all = ByteBuffer.allocate(LENGTH);
    reader.read(0, all);
    assertThat(all.array()).isEqualTo(Images.load(raw).bytes(0, LENGTH));
  }

  /** Changes 8 bytes of some table, or makes the file shorter. */
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
    addUsed(image, layout.refcountTableOffset(), layout.refcountTableBytes(), words);
    for (long word : List.copyOf(words)) {
      long table = image.getLong(word) & Qcow2Layout.OFFSET_MASK;
      addUsed(image, table, layout.clusterSize(), words);
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

  private void compare(PagedBytes image, String context) {
    Path file = folder.resolve("damaged.qcow2");
    Images.store(image, file);
    QemuImg.Check theirs = QemuImg.check(file);
    Findings ours = Qcow2Checker.check(image);

    // Exit code 1 is an image that cannot be opened or checked.
    boolean theySaySound = theirs.isConsistent();
    if (!(theySaySound && ours.corruptions().stream().anyMatch(STRICTER))) {
      assertThat(ours.isConsistent()).as(context + " " + theirs + ours).isEqualTo(theySaySound);
    }
    if (theySaySound && ours.isConsistent()) {
      assertThat(ours.leaks()).as(context + " " + theirs.output()).isEqualTo(theirs.leaks());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"cluster_size=512", "cluster_size=64k", "compression_type=zstd,cluster_size=4k"})
  void readsCompressedClusters(String options) throws IOException {
    Path raw = folder.resolve("plain.raw");
    Images.store(compressible(), raw);
    Path file = folder.resolve("compressed.qcow2");

    QemuImg.img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, file);

    PagedBytes image = Images.load(file);
    assertThat(Qcow2Checker.check(image)).matches(Findings::isClean, options);
    assertThat(image.length()).isLessThan(LENGTH / 2);
    assertReadsAsQemuImg(file, image);
  }

  private static PagedBytes compressible() {
    PagedBytes bytes = new PagedBytes(LENGTH);
    for (int at = 0; at < LENGTH / 2; at += 4096) {
      byte[] block = new byte[4096];
      System.arraycopy(DiskModel.pattern(1024, at), 0, block, 0, 1024);
      bytes.write(at, ByteBuffer.wrap(block));
    }
    return bytes;
  }

  @Test
  void countsSnapshots() throws IOException {
    Path file = folder.resolve("snapshots.qcow2");
    QemuImg.create(file, "4M", "cluster_size=4k");
    QemuImg.io(file, "write -P 1 0 1M");
    QemuImg.img("snapshot", "-c", "first", file);
    QemuImg.io(file, "write -P 2 512k 1M");
    QemuImg.img("snapshot", "-c", "second one", file);

    assertThat(Qcow2Checker.check(Images.load(file))).matches(Findings::isClean, "snapshots");
  }

  @Test
  void sharedClusterIsCorruptEvenIfItsRefcountAgrees() throws IOException {
    Path file = folder.resolve("shared.qcow2");
    QemuImg.create(file, "4M", "cluster_size=4k");
    QemuImg.io(file, "write -P 1 0 8k");
    PagedBytes image = Images.load(file);
    Qcow2Layout layout = Qcow2Layout.parse(image);
    long l2 = image.getLong(layout.l1Offset()) & Qcow2Layout.OFFSET_MASK;

    image.write(l2 + 8, ByteBuffer.wrap(image.bytes(l2, 8)));

    assertThat(Qcow2Checker.check(image).corruptions())
        .anyMatch(text -> text.endsWith("has 2 references"));
  }
}
