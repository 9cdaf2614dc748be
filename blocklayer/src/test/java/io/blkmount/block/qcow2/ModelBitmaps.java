// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.driver.BitmapInfo;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.StoredBitmap;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** Works at random with the persistent bitmaps of an image; what is marked is what was changed. */
final class ModelBitmaps {
  private static final int MOST = 6;

  private final SplittableRandom random;
  private final Map<String, Model> models = new TreeMap<>();
  private int names;

  ModelBitmaps(SplittableRandom random) {
    this.random = random;
  }

  /** One bitmap as it should be. */
  private static final class Model {
    private final int granularityBits;
    private boolean recording;
    private final BitSet bits = new BitSet();

    Model(int granularityBits, boolean recording) {
      this.granularityBits = granularityBits;
      this.recording = recording;
    }

    void mark(long offset, long length) {
      BitmapImages.mark(bits, offset, length, granularityBits);
    }

    void resize(long length) {
      int granules = (int) ((length - 1 >> granularityBits) + 1);
      bits.clear(granules, Math.max(granules, bits.length()));
    }
  }

  boolean isEmpty() {
    return models.isEmpty();
  }

  /** Says that the guest changed a range. */
  void changed(long offset, long length) {
    for (Model each : models.values()) {
      if (each.recording) {
        each.mark(offset, length);
      }
    }
  }

  void resized(long length) {
    models.values().forEach(each -> each.resize(length));
  }

  /** Does one thing with one bitmap. */
  void work(BitmapStore store, long diskLength) throws IOException {
    int kind = random.nextInt(20);
    if (models.isEmpty() || (kind < 6 && models.size() < MOST)) {
      add(store);
      return;
    }
    String chosen = any();
    Model model = models.get(chosen);
    if (kind < 10) {
      store.removeBitmap(chosen);
      models.remove(chosen);
    } else if (kind < 14) {
      model.recording = random.nextInt(3) > 0;
      store.recordBitmap(chosen, model.recording);
    } else if (kind < 16) {
      store.clearBitmap(chosen);
      model.bits.clear();
    } else {
      merge(store, chosen, any(), diskLength);
    }
  }

  private String any() {
    List<String> all = new ArrayList<>(models.keySet());
    return all.get(random.nextInt(all.size()));
  }

  private void add(BitmapStore store) throws IOException {
    int bits = 9 + random.nextInt(12);
    boolean recording = random.nextInt(4) > 0;
    String added = "bitmap" + names++;
    store.addBitmap(added, 1L << bits, recording);
    models.put(added, new Model(bits, recording));
  }

  private void merge(BitmapStore store, String target, String source, long diskLength)
      throws IOException {
    store.mergeBitmaps(target, List.of(source));
    Model from = models.get(source);
    for (int bit : from.bits.stream().toArray()) {
      long start = (long) bit << from.granularityBits;
      long end = Math.min(diskLength, start + (1L << from.granularityBits));
      models.get(target).mark(start, end - start);
    }
  }

  /** Removes all of them. */
  void removeAll(BitmapStore store) throws IOException {
    for (String each : List.copyOf(models.keySet())) {
      store.removeBitmap(each);
      models.remove(each);
    }
  }

  /** Compares what an open image says. */
  void compareLive(BitmapStore store, Object context) throws IOException {
    for (BitmapInfo info : store.bitmaps()) {
      Model model = models.get(info.name());
      assertThat(info.recording()).as("%s", context).isEqualTo(model.recording);
      assertThat(info.granularity()).as("%s", context).isEqualTo(1L << model.granularityBits);
      assertThat(info.dirtyBytes())
          .as("%s", context)
          .isEqualTo((long) model.bits.cardinality() << model.granularityBits);
      assertThat(live(store, info.name(), model)).as("%s", context).isEqualTo(model.bits);
    }
    assertThat(store.bitmaps()).as("%s", context).hasSize(models.size());
  }

  private static BitSet live(BitmapStore store, String name, Model model) throws IOException {
    BitSet live = new BitSet();
    ByteRange dirty = store.nextDirty(name, 0);
    while (dirty != null) {
      BitmapImages.mark(live, dirty.offset(), dirty.length(), model.granularityBits);
      dirty = store.nextDirty(name, dirty.end());
    }
    return live;
  }

  /** Compares what a closed image holds, by a reader of its own. */
  void compareStored(PagedBytes content, Object context) throws IOException {
    Map<String, BitSet> expected = new TreeMap<>();
    Map<String, Integer> flags = new TreeMap<>();
    models.forEach((name, model) -> expected.put(name, model.bits));
    models.forEach((name, model) -> flags.put(name, model.recording ? 2 : 0));
    assertThat(BitmapImages.stored(content)).as("%s", context).isEqualTo(expected);
    assertThat(new TreeMap<>(BitmapImages.flags(content))).as("%s", context).isEqualTo(flags);
    for (StoredBitmap each : StoredBitmap.all(content)) {
      assertThat(each.granularityBits()).isEqualTo(models.get(each.name()).granularityBits);
    }
  }

  /** Compares what QEMU finds. */
  void compareQemus(Path file, Object context) {
    Map<String, BitSet> expected = new TreeMap<>();
    models.forEach((name, model) -> expected.put(name, model.bits));
    if (!expected.isEmpty()) {
      assertThat(BitmapImages.qemuDirty(file)).as("%s: for QEMU", context).isEqualTo(expected);
    }
  }
}
