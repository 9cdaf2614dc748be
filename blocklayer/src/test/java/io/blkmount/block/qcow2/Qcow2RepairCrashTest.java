// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.StateJudge;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ends a repair in the middle: the image is no worse, and the next repair does what is left. */
final class Qcow2RepairCrashTest {
  private static final int STATES = CrashFloor.REPAIR.statesOfARun();

  @TempDir private Path folder;

  private PagedBytes image(String options, SplittableRandom random) {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "4M", options.replace("bitmaps,", ""));
    if (options.startsWith("bitmaps")) {
      QemuImg.img("bitmap", "--add", "-g", "512", file, "fine");
    }
    QemuImg.io(file, RandomDamage.requests(random));
    if (!options.endsWith("refcount_bits=1")) {
      QemuImg.img("snapshot", "-c", "one", file);
      QemuImg.io(file, RandomDamage.requests(random));
    }
    return Images.load(file);
  }

  private static CheckResult repair(MemoryChild file) throws IOException {
    return new Qcow2Driver().repair("test.qcow2", file, RepairMode.ALL, finding -> {});
  }

  private static CheckResult repair(PagedBytes image) throws IOException {
    return repair(new MemoryChild(MemoryInstance.file(image, 1)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "compat=0.10,cluster_size=512",
        "cluster_size=512,refcount_bits=1",
        "cluster_size=4k,refcount_bits=2",
        "cluster_size=64k",
        "cluster_size=512,refcount_bits=64",
        "cluster_size=16k,extended_l2=on",
        "bitmaps,cluster_size=4k",
      })
  void noCrashLosesAnything(String options) throws IOException {
    long seed = System.nanoTime();
    SplittableRandom random = new SplittableRandom(seed);
    PagedBytes image = image(options, random);
    int states = 0;
    for (int i = 0; states < STATES * Images.SCALE; i++) {
      PagedBytes damaged = image.copy();
      String said = options + " seed " + seed;
      try {
        for (int n = 0; n < 4; n++) {
          said += ' ' + RandomDamage.apply(damaged, random);
        }
        states += crash(damaged, seed + i, said);
      } catch (BlockException unreadable) {
        continue; // the L1 table was cut off, for one
      }
    }
  }

  private static int crash(PagedBytes damaged, long seed, String said) throws IOException {
    GuestView before = GuestView.of(damaged);
    CrashInstance host = new CrashInstance(damaged);
    CheckResult whole = repair(new MemoryChild(host));
    return StateJudge.judge(
        host.log(),
        (state, where) -> judgeState(state, before, whole, where),
        said,
        seed,
        STATES / 3);
  }

  private static void judgeState(PagedBytes state, GuestView before, CheckResult whole, String said)
      throws IOException {
    before.assertIsKeptIn(GuestView.of(state), said);
    CheckResult result = repair(state);
    before.assertIsKeptIn(GuestView.of(state), said + ", repaired");
    assertThat(result.corruptions() + result.checkErrors())
        .as(said + ": " + result)
        .isLessThanOrEqualTo(whole.corruptions() + whole.checkErrors());
    if (whole.isClean()) {
      assertThat(result.isClean()).as(said + ": " + result).isTrue();
    }
  }

  /** Every kind of write that a repair makes: refcounts where they are or anew, flags, marks. */
  private PagedBytes wrongEverywhere(boolean anew) throws IOException {
    PagedBytes image = image("cluster_size=512", new SplittableRandom(5));
    long table = image.getLong(Qcow2Header.REFCOUNT_TABLE_OFFSET_AT);
    long l1 = image.getLong(Qcow2Header.L1_TABLE_OFFSET_AT);
    put(image, Qcow2Header.INCOMPATIBLE_FEATURES_AT, FeatureBits.DIRTY | FeatureBits.CORRUPT);
    put(image, L1Entry.l2Offset(image.getLong(table)) + 128, 0x0001_0000_0003_0001L);
    put(image, l1, image.getLong(l1) ^ 1L << 63);
    if (anew) {
      put(image, table + 8, image.getLong(table + 8) + 8);
    }
    return image;
  }

  private static void put(PagedBytes image, long at, long value) {
    image.write(at, ByteBuffer.allocate(8).putLong(0, value));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void noFailureLosesAnything(boolean anew) throws IOException {
    PagedBytes damaged = wrongEverywhere(anew);
    GuestView before = GuestView.of(damaged);

    new FailureSweep(damaged, FailureSweep.ALL)
        .run(
            host -> repair(new MemoryChild(host)),
            (left, said) -> {
              before.assertIsKeptIn(GuestView.of(left), said);
              assertThat(repair(left).isClean()).as(said).isTrue();
              before.assertIsKeptIn(GuestView.of(left), said);
            },
            "anew " + anew);
  }

  @Test
  void aFullDeviceIsLeftAsItWas() throws IOException {
    PagedBytes damaged = full();
    MemoryInstance device =
        new MemoryInstance(
            damaged.copy(), MemoryInstance.file(damaged, 1).limits(), MemoryInstance.DEVICE);

    BlockException failure =
        assertThrows(BlockException.class, () -> repair(new MemoryChild(device)));

    assertThat(failure.error()).isEqualTo(BlockError.NO_SPACE);
    assertThat(failure)
        .hasMessage("no room for new tables: all 86 clusters of the device are used");
    assertThat(device.content().bytes(0, 86 * 512)).isEqualTo(damaged.bytes(0, 86 * 512));
  }

  /** Returns an image whose refcount block is off its boundary, and in which nothing is free. */
  private PagedBytes full() {
    Path file = folder.resolve("full.qcow2");
    QemuImg.create(file, "40k", "cluster_size=512");
    QemuImg.io(file, "write 0 40k");
    PagedBytes image = Images.load(file);
    long table = image.getLong(Qcow2Header.REFCOUNT_TABLE_OFFSET_AT);
    put(image, table, image.getLong(table) + 8);
    return image;
  }
}
