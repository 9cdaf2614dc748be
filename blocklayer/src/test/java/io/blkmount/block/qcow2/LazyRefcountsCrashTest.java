// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.StateJudge;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Cuts the power while an image with late refcounts, which QEMU did not close, is repaired because
 * it is opened for writing: whatever is left, the next opening makes it clean, and the one after
 * that finds nothing to do.
 */
final class LazyRefcountsCrashTest {
  private static final int STATES = CrashFloor.LAZY_REFCOUNTS.statesOfARun() * 3;

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512",
        "cluster_size=4k,refcount_bits=64",
        "cluster_size=16k,extended_l2=on",
        "cluster_size=64k,refcount_bits=1"
      })
  void oneOpeningRepairsWhateverIsLeft(String options) throws IOException {
    PagedBytes dirty = dirty(options);
    for (long seed = 1; seed <= Images.SCALE; seed++) {
      CrashInstance host = new CrashInstance(dirty.copy());
      TestImage.open(host, null).close();

      OneOpening check = new OneOpening(GuestView.of(dirty));
      int states = StateJudge.judge(host.log(), check, options, seed, STATES);

      CrashFloor.LAZY_REFCOUNTS.require(states);
      assertThat(check.dirtyStates).as("states that are still to be repaired").isPositive();
      assertThat(check.dirtyStates).as("states that are not").isLessThan(states);
    }
  }

  /** Returns an image whose refcounts were still in memory when the program died. */
  private PagedBytes dirty(String options) {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "512k", options + ",lazy_refcounts=on");
    QemuImg.io(file, "write -P 1 0 200k");
    String words = "qemu-io,-f,qcow2,-c,write -P 2 100k 400k,-c,flush,-c,write -z -u 64k 64k";
    List<String> command = List.of((words + ",-c,flush,-c,abort," + file).split(","));
    QemuImg.Result died = QemuImg.run(command);
    assertThat(died.exitCode()).as(died.output()).isNotZero();
    PagedBytes image = Images.load(file);
    assertThat(isDirty(image)).isTrue();
    return image;
  }

  private static boolean isDirty(PagedBytes image) {
    return (image.getLong(Qcow2Header.INCOMPATIBLE_FEATURES_AT) & FeatureBits.DIRTY) != 0;
  }

  private static final class OneOpening implements StateJudge.Check {
    private final GuestView before;
    private int dirtyStates;

    OneOpening(GuestView before) {
      this.before = before;
    }

    @Override
    public void require(PagedBytes state, String where) throws IOException {
      before.assertIsKeptIn(GuestView.of(state), where);
      if (isDirty(state)) {
        dirtyStates++;
      } else {
        requireClean(state, where + ", not dirty");
      }
      PagedBytes repaired = opened(state);
      requireClean(repaired, where + ", repaired");
      before.assertIsKeptIn(GuestView.of(repaired), where + ", repaired");
      assertThat(all(opened(repaired))).as(where + ", repaired twice").isEqualTo(all(repaired));
    }

    private static void requireClean(PagedBytes image, String where) {
      assertThat(isDirty(image)).as(where).isFalse();
      assertThat(Qcow2Checker.check(image))
          .as(where)
          .matches(Qcow2Checker.Findings::isClean, "clean");
    }

    private static PagedBytes opened(PagedBytes image) throws IOException {
      MemoryInstance host = MemoryInstance.file(image.copy(), 1);
      TestImage.open(host, null).close();
      return host.content();
    }

    private static ByteBuffer all(PagedBytes image) {
      return ByteBuffer.wrap(image.bytes(0, (int) image.length()));
    }
  }
}
