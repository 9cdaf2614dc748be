// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Damages images at random: they are opened, read, checked and written, or that fails with one
 * line; no other throwable, no endless loop. {@code -Dblkmount.tests.scale=1000} goes on for an
 * hour; with {@code -Dblkmount.tests.seed=N} the seeds begin there.
 */
final class ImageMutationTest {
  private static final int SEEDS = 120 * Images.SCALE;
  private static final int FIRST_SEED = Integer.getInteger("blkmount.tests.seed", 0);

  /** Ten times what the slowest image takes on a busy machine. */
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  @TempDir private Path folder;

  /** A sound image with much of what the format has. */
  enum Original {
    SMALL_CLUSTERS("cluster_size=512"),
    VERSION_2("compat=0.10,cluster_size=4k"),
    SNAPSHOTS("cluster_size=4k,refcount_bits=64"),
    ZLIB("cluster_size=4k,refcount_bits=8"),
    ZSTD("cluster_size=512,compression_type=zstd"),
    NARROW_REFCOUNTS("cluster_size=4k,refcount_bits=1,lazy_refcounts=on"),
    SUBCLUSTERS("cluster_size=16k,extended_l2=on"),
    BITMAPS("cluster_size=4k"),
    LUKS("cluster_size=4k,encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=1"),
    DATA_FILE("cluster_size=4k,data_file=" + ImageFiles.DATA_NAME);

    private final String options;

    Original(String options) {
      this.options = options;
    }

    PagedBytes in(Path folder) throws IOException {
      Path file = folder.resolve("image.qcow2");
      if (this == LUKS) {
        QemuImg.img(
            "create",
            "-q",
            "-f",
            "qcow2",
            "--object",
            "secret,id=key,data=abc",
            "-o",
            options,
            file,
            "2M");
        return Images.load(file);
      }
      String all = options.replace("data_file=", "data_file=" + folder + "/");
      QemuImg.create(file, "2M", all);
      switch (this) {
        case ZLIB, ZSTD -> QemuImg.io(file, "write -c -P 3 64k 128k", "write -P 4 128k 100k");
        case BITMAPS -> {
          QemuImg.img("bitmap", "--add", file, "one");
          QemuImg.img("bitmap", "--add", "-g", "4k", file, "two");
          QemuImg.io(file, "write -P 5 0 300k");
        }
        default -> QemuImg.io(file, "write -P 6 0 100k", "write -z 32k 48k", "write -P 7 1M 9k");
      }
      if (this == SNAPSHOTS) {
        QemuImg.img("snapshot", "-c", "one", file);
        QemuImg.io(file, "write -P 8 16k 64k");
        QemuImg.img("snapshot", "-c", "two", file);
      }
      return Images.load(file);
    }
  }

  @ParameterizedTest
  @EnumSource
  void damagedImagesAreServedOrRefusedInOneLine(Original original) throws IOException {
    ImageMutator mutator = new ImageMutator(original.in(folder));
    int opened = 0;
    for (int seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      opened += isOpened(mutator, seed, original + " seed " + seed) ? 1 : 0;
    }
    if (original != Original.LUKS && original != Original.DATA_FILE) {
      assertThat(opened).as("images that were opened").isBetween(SEEDS / 20, SEEDS * 19 / 20);
    }
    Files.delete(folder.resolve("image.qcow2"));
  }

  private static boolean isOpened(ImageMutator mutator, int seed, String context) {
    PagedBytes image = mutator.mutated(new SplittableRandom(seed));
    try {
      return assertTimeoutPreemptively(
          PATIENCE, () -> new MutationRun(image, context).run(), () -> context);
    } catch (RuntimeException | Error e) {
      throw e instanceof AssertionError ? (AssertionError) e : new AssertionError(context, e);
    }
  }
}
