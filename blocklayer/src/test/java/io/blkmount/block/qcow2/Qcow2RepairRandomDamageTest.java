// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.RepairMode;
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

/**
 * Repairs images of which some words were changed: nothing that could be read is lost, what {@code
 * qemu-img check -r all} can put right is right, and what is said of the result is true.
 */
final class Qcow2RepairRandomDamageTest {
  /** What qemu-img passes over, or makes up for by changing data; see {@code Qcow2Check}. */
  private static final Predicate<String> OURS_ALONE =
      Pattern.compile(
              "nothing may share|reserved bits|both allocated and zero|with subclusters|past the"
                  + " end|not on a cluster boundary|no cluster is|more than a refcount can")
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
        "cluster_size=2M,refcount_bits=8",
      })
  void losesNothing(String options) throws IOException {
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
    int repaired = 0;
    for (int i = 0; i < 12 * Images.SCALE; i++) {
      PagedBytes damaged = image.copy();
      StringBuilder said = new StringBuilder(options + " seed " + seed);
      try {
        for (int n = random.nextInt(3); n >= 0; n--) {
          said.append(' ').append(RandomDamage.apply(damaged, random));
        }
        repair(damaged, said.toString());
        repaired++;
      } catch (BlockException unreadable) {
        continue; // the L1 table was cut off, for one
      }
    }
    assertThat(repaired).as("how many could be repaired, seed %d", seed).isPositive();
  }

  private void repair(PagedBytes damaged, String context) throws IOException {
    GuestView before = GuestView.of(damaged);
    RepairRun run = RepairRun.of(damaged, RepairMode.ALL);
    String said = context + "\nours: " + run.result() + run.texts() + "\nleft: " + run.left();

    before.assertIsKeptIn(GuestView.of(run.content()), said);
    Path ours = folder.resolve("ours.qcow2");
    Images.store(run.content(), ours);
    if (run.result().isClean()) {
      QemuImg.requireClean(ours, said);
    } else {
      assertThat(QemuImg.repair(theirs(damaged)).exitCode() != 0 || isOursAlone(run))
          .as(said)
          .isTrue();
    }
  }

  private Path theirs(PagedBytes damaged) {
    Path theirs = folder.resolve("theirs.qcow2");
    Images.store(damaged, theirs);
    return theirs;
  }

  private static boolean isOursAlone(RepairRun run) {
    return run.left().stream().anyMatch(OURS_ALONE);
  }
}
