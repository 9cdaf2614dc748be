// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.StateJudge;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Ends a repair in the middle, of images in which clusters mean more than entries and refcounts
 * say: the header of LUKS, compressed clusters that share one, guest data in another file. Disk,
 * snapshot and key stay, and the next repair makes the image clean.
 */
final class Qcow2RepairFeatureCrashTest {
  private static final int STATES = CrashFloor.REPAIR_OF_FEATURES.statesOfARun();
  private static final int ATTEMPTS = 6;

  @TempDir private Path folder;

  /** What must be there at any time and after the next repair. */
  private record Expected(FeatureImage image, GuestView disk) {
    void require(PagedBytes state, String said) throws IOException {
      disk.assertIsKeptIn(image.with(state).view(), said);
      MemoryInstance host = MemoryInstance.file(state.copy(), 1);
      assertThat(repair(host).isClean()).as(said).isTrue();
      disk.assertIsKeptIn(image.with(host.content()).view(), said + ", repaired");
      assertThat(snapshot(host.content())).as(said).isEqualTo(snapshot(image.content()));
      assertThat(CheckRun.of(host.content()).texts()).as(said).isEmpty();
    }

    private byte[] snapshot(PagedBytes content) throws IOException {
      return image.has("snapshot") ? SnapshotImages.read(content, "one") : new byte[0];
    }
  }

  private static CheckResult repair(DriverInstance host) throws IOException {
    return new Qcow2Driver()
        .repair("test.qcow2", new MemoryChild(host), RepairMode.ALL, finding -> {});
  }

  /** What is wrong: refcounts written where they are or all anew, and flags of entries. */
  enum Damage {
    IN_PLACE {
      @Override
      void apply(PagedBytes image) {
        RefcountDamage.ALL_ZERO.apply(image);
        RefcountDamage.FLAGS.apply(image);
      }
    },
    LEAKS {
      @Override
      void apply(PagedBytes image) {
        RefcountDamage.ALL_MAX.apply(image);
      }
    },
    ANEW {
      @Override
      void apply(PagedBytes image) {
        RefcountDamage.BLOCK_OFF_BOUNDARY.apply(image);
        RefcountDamage.FLAGS.apply(image);
      }
    },
    TABLE_LOST {
      @Override
      void apply(PagedBytes image) {
        RefcountDamage.TABLE_PAST_THE_END.apply(image);
      }
    };

    abstract void apply(PagedBytes image);
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          encrypted            | cluster_size=4k,encrypt.format=luks,encrypt.iter-time=1
          encrypted            | cluster_size=512,refcount_bits=8,encrypt.format=aes
          compressed           | cluster_size=4k,refcount_bits=64
          compressed snapshot  | cluster_size=4k,compression_type=zstd
          compressed extended  | cluster_size=16k,extended_l2=on
          data                 | cluster_size=4k
          data raw             | cluster_size=4k,data_file_raw=on
          """)
  void noCrashAndNoFailureLosesAnything(String features, String options) throws IOException {
    FeatureImage image = FeatureImage.create(folder, features, options);
    Expected expected = new Expected(image, image.view());
    int states = 0;
    for (Damage damage : Damage.values()) {
      PagedBytes damaged = image.content().copy();
      damage.apply(damaged);
      String context = damage + " of " + image;
      states += crash(damaged, expected, context);
      new FailureSweep(damaged, ATTEMPTS * Images.SCALE)
          .run(host -> repair(host), expected::require, context);
    }
    CrashFloor.REPAIR_OF_FEATURES.require(states);
  }

  private static int crash(PagedBytes damaged, Expected expected, String context)
      throws IOException {
    CrashInstance host = new CrashInstance(damaged);
    assertThat(repair(host).isClean()).as(context).isTrue();
    int count = STATES / 2 * Images.SCALE;
    return StateJudge.judge(host.log(), expected::require, context, System.nanoTime(), count);
  }
}
