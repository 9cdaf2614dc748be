// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

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
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Ends a repair of the snapshot table in the middle: disk and sound snapshots are never lost. */
final class Qcow2RepairSnapshotCrashTest {
  private static final int STATES = 40;
  private static final String SOUND = "one";

  @TempDir private Path folder;

  /** What the repair has to do; the snapshot "one" is sound in all of them. */
  enum Work {
    /** The table goes elsewhere, without its first record. */
    MOVE {
      @Override
      void damage(PagedBytes image) {
        new SnapshotDamage(image).putLong(0, 0, 1L << 40).setExtraLength(2, 8).store();
      }
    },
    /** The table ends earlier. */
    CUT {
      @Override
      void damage(PagedBytes image) {
        new SnapshotDamage(image).putInt(2, 8, -1).store();
      }
    },
    /** The refcounts are made anew before the table can be counted. */
    MOVE_WITHOUT_REFCOUNTS {
      @Override
      void damage(PagedBytes image) {
        MOVE.damage(image);
        RefcountDamage.BLOCK_OFF_BOUNDARY.apply(image);
      }
    };

    abstract void damage(PagedBytes image);
  }

  private PagedBytes image(String options) {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "256k", options);
    for (String name : List.of("zero", SOUND, "two")) {
      QemuImg.io(file, "write -P " + name.length() + " " + 30 * name.length() + "k 60k");
      QemuImg.img("snapshot", "-c", name, file);
    }
    QemuImg.io(file, "write -P 9 10k 200k");
    return Images.load(file);
  }

  private static boolean repair(MemoryChild file) throws IOException {
    return new Qcow2Driver().repair("x", file, RepairMode.ALL, finding -> {}).isClean();
  }

  /** What must be there at any time and after the next repair. */
  private record Expected(GuestView disk, byte[] snapshot) {
    static Expected of(PagedBytes image) throws IOException {
      return new Expected(GuestView.of(image), SnapshotImages.read(image, SOUND));
    }

    void judge(PagedBytes left, String said) throws IOException {
      disk.assertIsKeptIn(GuestView.of(left), said);
      PagedBytes repaired = left.copy();
      MemoryInstance host = MemoryInstance.file(repaired, 1);
      assertThat(repair(new MemoryChild(host))).as(said).isTrue();
      disk.assertIsKeptIn(GuestView.of(host.content()), said + ", repaired");
      assertThat(SnapshotImages.read(host.content(), SOUND)).as(said).isEqualTo(snapshot);
    }
  }

  @ParameterizedTest
  @EnumSource
  void noCrashLosesAnything(Work work) throws IOException {
    PagedBytes image = image("cluster_size=4k,refcount_bits=8");
    Expected expected = Expected.of(image);
    work.damage(image);
    CrashInstance host = new CrashInstance(image);
    assertThat(repair(new MemoryChild(host))).isTrue();

    int states =
        StateJudge.judge(
            host.log(), expected::judge, work + "", System.nanoTime(), STATES * Images.SCALE);

    assertThat(states).isPositive();
  }

  @ParameterizedTest
  @EnumSource
  void noFailureLosesAnything(Work work) throws IOException {
    PagedBytes damaged = image("cluster_size=4k,refcount_bits=64");
    Expected expected = Expected.of(damaged);
    work.damage(damaged);

    new FailureSweep(damaged, FailureSweep.ALL)
        .run(
            host -> assertThat(repair(new MemoryChild(host))).isTrue(), expected::judge, work + "");
  }

  @Test
  void aFullDeviceIsLeftAsItWas() throws IOException {
    Path file = folder.resolve("full.qcow2");
    QemuImg.create(file, "40k", "cluster_size=512");
    QemuImg.io(file, "write 0 40k");
    QemuImg.img("snapshot", "-c", SOUND, file);
    PagedBytes damaged = Images.load(file);
    new SnapshotDamage(damaged).setExtraLength(0, 8).store();
    int length = (int) ((damaged.length() + 511) / 512 * 512);
    damaged.setLength(length);
    MemoryInstance device =
        new MemoryInstance(
            damaged.copy(), MemoryInstance.file(damaged, 1).limits(), MemoryInstance.DEVICE);

    BlockException failure =
        assertThrows(BlockException.class, () -> repair(new MemoryChild(device)));

    assertThat(failure.error()).isEqualTo(BlockError.NO_SPACE);
    assertThat(failure).hasMessageContaining("no room for new tables: all ");
    assertThat(device.content().bytes(0, length)).isEqualTo(damaged.bytes(0, length));
  }

  /** There is a free cluster for the table, and refcounts need none. */
  @Test
  void aDeviceWithRoomForTheTableIsRepaired() throws IOException {
    PagedBytes image = image("cluster_size=4k");
    Expected expected = Expected.of(image);
    Work.MOVE.damage(image);
    image.setLength((image.length() + 4095) / 4096 * 4096 + 4096);
    MemoryInstance device =
        new MemoryInstance(image, MemoryInstance.file(image, 1).limits(), MemoryInstance.DEVICE);

    assertThat(repair(new MemoryChild(device))).isTrue();

    expected.judge(device.content(), "device");
    assertThat(device.content().length() % 4096).isZero();
  }
}
