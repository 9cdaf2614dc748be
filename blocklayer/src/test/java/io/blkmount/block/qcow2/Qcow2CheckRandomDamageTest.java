// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Changes one word of an image's metadata, and compares with what qemu-img says to that. */
final class Qcow2CheckRandomDamageTest {
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
    QemuImg.io(file, RandomDamage.requests(random));
    if (!options.endsWith("refcount_bits=1")) {
      QemuImg.img("snapshot", "-c", "one", file);
      QemuImg.io(file, RandomDamage.requests(random));
    }
    PagedBytes image = Images.load(file);
    for (int i = 0; i < 12 * Images.SCALE; i++) {
      PagedBytes damaged = image.copy();
      String damage = RandomDamage.apply(damaged, random);
      Images.store(damaged, file);
      compare(file, damaged, options + " seed " + seed + " " + damage);
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
