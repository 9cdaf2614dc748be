// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.InternalSnapshot;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.driver.VmStateStore;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** Takes, applies and deletes internal snapshots at random, some with the state of a machine. */
final class ModelSnapshots {
  private static final int SECTOR = 512;

  private final SplittableRandom random;
  private final DiskModel model;
  private final Map<String, Kept> kept = new LinkedHashMap<>();
  private int names;

  ModelSnapshots(SplittableRandom random, DiskModel model) {
    this.random = random;
    this.model = model;
  }

  /**
   * What a snapshot shall show.
   *
   * @param disk its bytes
   * @param state of the machine; none if empty
   */
  record Kept(byte[] disk, byte[] state) {}

  boolean isEmpty() {
    return kept.isEmpty();
  }

  /** Returns all by id, in the order of the list. */
  Map<String, Kept> all() {
    return kept;
  }

  /**
   * Does one thing with one snapshot.
   *
   * @param image whose model is certain of every byte
   * @param mayApply whether nothing stands in the way of going back
   */
  void work(TestImage image, boolean mayApply, Object context) throws IOException {
    int kind = random.nextInt(10);
    if (kind < 5 || kept.isEmpty()) {
      take(image, context);
      return;
    }
    List<String> ids = List.copyOf(kept.keySet());
    String id = ids.get(random.nextInt(ids.size()));
    if (kind < 7 && !mayApply) {
      requireBusy(image, id, context);
    } else if (kind < 7) {
      apply(image, id, context);
    } else {
      ((Snapshottable) image.driver()).deleteSnapshot(id);
      kept.remove(id);
    }
  }

  /** Takes a snapshot unless clusters would be shared more often than they can be counted. */
  private void take(TestImage image, Object context) throws IOException {
    byte[] state = random.nextInt(3) == 0 ? state() : new byte[0];
    if (state.length > 0) {
      ((VmStateStore) image.driver()).writeVmState(0, ByteBuffer.wrap(state));
    }
    NewSnapshot wanted =
        new NewSnapshot("s" + names++, Instant.EPOCH, names, NewSnapshot.NO_ICOUNT, state.length);
    try {
      InternalSnapshot taken = ((Snapshottable) image.driver()).createSnapshot(wanted);
      kept.put(taken.id(), new Kept(model.bytes(0, model.length()), state));
    } catch (BlockException e) {
      assertThat(e).as("%s", context).hasMessageContaining("is the largest that fits");
    }
  }

  private byte[] state() {
    return DiskModel.pattern(SECTOR * (1 + random.nextInt(200)), random.nextLong());
  }

  private static void requireBusy(TestImage image, String id, Object context) {
    assertThatThrownBy(() -> ((Snapshottable) image.driver()).applySnapshot(id))
        .as("%s", context)
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.BUSY));
  }

  private void apply(TestImage image, String id, Object context) throws IOException {
    ((Snapshottable) image.driver()).applySnapshot(id);
    Kept shown = kept.get(id);
    model.truncate(shown.disk().length);
    model.write(0, ByteBuffer.wrap(shown.disk()));
    assertThat(image.io().length()).as("%s", context).isEqualTo(shown.disk().length);
    ByteBuffer state = ByteBuffer.allocateDirect(shown.state().length);
    ((VmStateStore) image.driver()).readVmState(0, state);
    assertThat(state.flip()).as("%s: state", context).isEqualTo(ByteBuffer.wrap(shown.state()));
    ByteBuffer whole = Images.read(image.io(), 0, model.length());
    model.check(0, whole, context);
  }
}
