// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.driver.BitmapInfo;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is marked is what was written, whatever else happens to bitmaps and disk. */
final class BitmapModelTest {
  private static final int MIB = 1 << 20;

  static Stream<ImageShape> shapes() {
    return Stream.of(
        ImageShape.of(512, MIB + 512),
        ImageShape.of(512, 8 * MIB).withRefcountBits(1),
        ImageShape.of(4096, 4 * MIB).withBacking(MIB),
        ImageShape.of(65536, 5 * MIB + 1024).withRefcountBits(64),
        ImageShape.of(65536, 4 * MIB).withSnapshot(),
        ImageShape.of(2 * MIB, 16 * MIB));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void marksAreWhatWasWritten(ImageShape shape) throws IOException {
    for (long seed = 1; seed <= 2L * Images.SCALE; seed++) {
      new Run(shape, seed).run(400);
    }
  }

  /** One bitmap as it should be. */
  private static final class Model {
    private final int granularityBits;
    private boolean recording;
    private BitSet bits = new BitSet();

    Model(int granularityBits, boolean recording) {
      this.granularityBits = granularityBits;
      this.recording = recording;
    }

    void resize(long length) {
      int granules = (int) ((length - 1 >> granularityBits) + 1);
      bits.clear(granules, Math.max(granules, bits.length()));
    }
  }

  private static final class Run {
    private final String name;
    private final SplittableRandom random;
    private final Map<String, Model> models = new TreeMap<>();
    private final MemoryInstance host;
    private TestImage image;
    private int names;

    Run(ImageShape shape, long seed) throws IOException {
      this.name = shape + " seed " + seed;
      this.random = new SplittableRandom(seed);
      PagedBytes start = shape.create();
      if (shape.hasSnapshot()) {
        start = SnapshotImages.take(start, null, "first");
      }
      this.host = MemoryInstance.file(start, random.nextBoolean() ? 1 : 4096);
      this.image = TestImage.open(host, null);
    }

    private BitmapStore store() {
      return BitmapImages.store(image);
    }

    void run(int steps) throws IOException {
      for (int i = 0; i < steps; i++) {
        int kind = random.nextInt(100);
        if (kind < 60) {
          request();
        } else if (kind < 90) {
          operate();
        } else if (kind < 97) {
          reopen();
        } else {
          resize();
        }
      }
      reopen();
      image.close();
    }

    private void request() throws IOException {
      long length = image.io().length();
      long offset = random.nextLong(length);
      int count = (int) Math.min(length - offset, 1 + random.nextInt(1 << random.nextInt(1, 18)));
      switch (random.nextInt(4)) {
        case 0 -> image.io().writeZeroes(offset, count, WriteFlags.MAY_UNMAP);
        case 1 -> image.io().discard(offset, count);
        default -> image.io().write(offset, Images.bytes(count, offset), WriteFlags.NONE);
      }
      for (Model each : models.values()) {
        if (each.recording) {
          BitmapImages.mark(each.bits, offset, count, each.granularityBits);
        }
      }
    }

    private void operate() throws IOException {
      int kind = random.nextInt(10);
      if (models.size() < 2 || (kind == 0 && models.size() < 12)) {
        add();
        return;
      }
      String chosen = any();
      Model model = models.get(chosen);
      if (kind < 2) {
        store().removeBitmap(chosen);
        models.remove(chosen);
      } else if (kind < 5) {
        model.recording = random.nextInt(3) > 0;
        store().recordBitmap(chosen, model.recording);
      } else if (kind < 7) {
        store().clearBitmap(chosen);
        model.bits.clear();
      } else {
        merge(chosen, model, any());
      }
    }

    private String any() {
      List<String> all = new ArrayList<>(models.keySet());
      return all.get(random.nextInt(all.size()));
    }

    private void add() throws IOException {
      int bits = 9 + random.nextInt(12);
      boolean recording = random.nextInt(4) > 0;
      String added = "bitmap" + names++;
      store().addBitmap(added, 1L << bits, recording);
      models.put(added, new Model(bits, recording));
    }

    private void merge(String target, Model to, String source) throws IOException {
      store().mergeBitmaps(target, List.of(source));
      Model from = models.get(source);
      long length = image.io().length();
      for (int bit : from.bits.stream().toArray()) {
        long start = (long) bit << from.granularityBits;
        long end = Math.min(length, start + (1L << from.granularityBits));
        BitmapImages.mark(to.bits, start, end - start, to.granularityBits);
      }
    }

    private void resize() throws IOException {
      long length = image.io().length();
      long changed = Math.max(1, length / 512 * (50 + random.nextInt(80)) / 100) * 512;
      image.pipeline().truncate(changed, Preallocation.OFF);
      models.values().forEach(each -> each.resize(changed));
    }

    private void reopen() throws IOException {
      compareLive();
      image.close();
      PagedBytes content = host.content();
      assertThat(Qcow2Checker.check(content))
          .as(name)
          .matches(Qcow2Checker.Findings::isClean, "clean");
      Map<String, BitSet> expected = new TreeMap<>();
      models.forEach((key, model) -> expected.put(key, model.bits));
      assertThat(BitmapImages.stored(content)).as(name).isEqualTo(expected);
      Map<String, Integer> flags = new TreeMap<>();
      models.forEach((key, model) -> flags.put(key, model.recording ? 2 : 0));
      assertThat(new TreeMap<>(BitmapImages.flags(content))).as(name).isEqualTo(flags);
      image = TestImage.open(host, null);
      compareLive();
    }

    private void compareLive() throws IOException {
      for (BitmapInfo info : store().bitmaps()) {
        Model model = models.get(info.name());
        assertThat(info.recording()).as(name).isEqualTo(model.recording);
        assertThat(info.granularity()).as(name).isEqualTo(1L << model.granularityBits);
        assertThat(info.dirtyBytes())
            .as(name)
            .isEqualTo((long) model.bits.cardinality() << model.granularityBits);
        BitSet live = new BitSet();
        ByteRange dirty = store().nextDirty(info.name(), 0);
        while (dirty != null) {
          BitmapImages.mark(live, dirty.offset(), dirty.length(), model.granularityBits);
          dirty = store().nextDirty(info.name(), dirty.end());
        }
        assertThat(live).as(name).isEqualTo(model.bits);
      }
      assertThat(store().bitmaps()).as(name).hasSize(models.size());
    }
  }
}
