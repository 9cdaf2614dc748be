// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.CrashStates;
import io.blkmount.block.testing.CrashStates.Judge;
import io.blkmount.block.testing.CrashStates.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Reader;
import io.blkmount.block.testing.StoredBitmap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Cuts the power while bitmaps come and go: the header always leads to whole structures, and a
 * bitmap is there, from the close after it was added until it is removed, and right or in use.
 */
final class BitmapCrashTest {
  private static final int MIB = 1 << 20;
  private static final int SECTOR = 512;
  private static final int STATES = 600;

  static Stream<ImageShape> shapes() {
    return Stream.of(
        ImageShape.of(4096, MIB),
        ImageShape.of(4096, MIB).withBacking(MIB / 2),
        ImageShape.of(65536, MIB).withBacking(MIB),
        ImageShape.of(512, MIB).withRefcountBits(64));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void bitmapsComeAndGoAtOnce(ImageShape shape) throws IOException {
    for (long seed = 1; seed <= Images.SCALE; seed++) {
      PagedBytes start = shape.create();
      CrashInstance host = new CrashInstance(start.copy());
      new Guest(host).run();

      Bitmaps judge = new Bitmaps(start);
      CrashStates.replay(host.log(), judge, seed, STATES);

      CrashFloor.BITMAPS.require(judge.states);
      assertThat(judge.valid).as("states with a bitmap that is not in use").isPositive();
      assertThat(Qcow2Checker.check(host.content())).matches(Qcow2Checker.Findings::isClean);
    }
  }

  /** What the guest tells the judge. */
  private record Mark(String what, String name, int sector, int count) {}

  private record Guest(CrashInstance host) {
    void run() throws IOException {
      session(
          image -> {
            add(image, "a");
            write(image, 0);
          },
          "a");
      session(
          image -> {
            write(image, 100);
            add(image, "b");
            write(image, 200);
          },
          "b");
      session(
          image -> {
            remove(image, "a");
            write(image, 300);
          },
          "");
      session(image -> remove(image, "b"), "");
      session(
          image -> {
            add(image, "c");
            write(image, 400);
          },
          "c");
    }

    private interface Work {
      void on(TestImage image) throws IOException;
    }

    private void session(Work work, String stored) throws IOException {
      try (TestImage image = TestImage.open(host, null)) {
        work.on(image);
      }
      host.mark(new Mark("stored", stored, 0, 0));
    }

    private static BitmapStore store(TestImage image) {
      return BitmapImages.store(image);
    }

    private void add(TestImage image, String name) throws IOException {
      store(image).addBitmap(name, SECTOR, true);
      host.mark(new Mark("added", name, 0, 0));
    }

    private void remove(TestImage image, String name) throws IOException {
      host.mark(new Mark("remove", name, 0, 0));
      store(image).removeBitmap(name);
      host.mark(new Mark("removed", name, 0, 0));
    }

    private void write(TestImage image, int sector) throws IOException {
      host.mark(new Mark("write", "", sector, 20));
      image.io().write((long) sector * SECTOR, Images.bytes(20 * SECTOR, 9), WriteFlags.NONE);
      image.io().flush();
    }
  }

  private static final class Bitmaps implements Judge {
    private final PagedBytes start;
    private final byte[] before;

    /** What was asked to be written since each bitmap was added. */
    private final Map<String, BitSet> asked = new LinkedHashMap<>();

    private final Map<String, String> phases = new LinkedHashMap<>();
    private int states;
    private int valid;

    Bitmaps(PagedBytes start) throws IOException {
      this.start = start;
      this.before = disk(start);
    }

    private static byte[] disk(PagedBytes image) throws IOException {
      Qcow2Reader reader = new Qcow2Reader(image, new PagedBytes(0)::read);
      byte[] bytes = new byte[(int) reader.length()];
      reader.read(0, ByteBuffer.wrap(bytes));
      return bytes;
    }

    @Override
    public void guest(Object what) {
      Mark mark = (Mark) what;
      if (mark.what.equals("write")) {
        asked.values().forEach(each -> each.set(mark.sector, mark.sector + mark.count));
        return;
      }
      if (mark.what.equals("added")) {
        asked.put(mark.name, new BitSet());
      }
      phases.put(mark.name, mark.what);
    }

    @Override
    public void judge(PagedBytes state, Kind kind, int position) {
      states++;
      String where = kind + " at event " + position + " " + phases;
      try {
        assertThat(Qcow2Checker.check(state))
            .as(where)
            .matches(Qcow2Checker.Findings::isConsistent);
        assertThat(backingName(state)).as(where).isEqualTo(backingName(start));
        Map<String, StoredBitmap> found = new LinkedHashMap<>();
        StoredBitmap.all(state).forEach(each -> found.put(each.name(), each));
        for (Map.Entry<String, String> phase : phases.entrySet()) {
          requirePresence(phase.getKey(), phase.getValue(), found, where);
        }
        byte[] now = disk(state);
        for (StoredBitmap each : found.values()) {
          if (!each.isInUse()) {
            valid++;
            requireRight(each, each.bits(state), now, where);
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException(where, e);
      }
    }

    private static void requirePresence(
        String name, String phase, Map<String, StoredBitmap> found, String where) {
      if (!name.isEmpty() && phase.equals("stored")) {
        assertThat(found).as(where).containsKey(name);
      } else if (phase.equals("removed")) {
        assertThat(found).as(where).doesNotContainKey(name);
      }
    }

    private void requireRight(StoredBitmap bitmap, BitSet bits, byte[] now, String where) {
      BitSet since = asked.getOrDefault(bitmap.name(), new BitSet());
      BitSet tooMany = (BitSet) bits.clone();
      tooMany.andNot(since);
      assertThat(tooMany.isEmpty()).as("%s: %s has %s", where, bitmap, tooMany).isTrue();
      since.stream()
          .filter(sector -> !bits.get(sector))
          .forEach(
              sector -> {
                ByteBuffer old = ByteBuffer.wrap(before, sector * SECTOR, SECTOR);
                assertThat(ByteBuffer.wrap(now, sector * SECTOR, SECTOR))
                    .as("%s: %s lacks sector %d", where, bitmap, sector)
                    .isEqualTo(old);
              });
    }

    private static String backingName(PagedBytes image) {
      int length = (int) (image.getLong(16) >>> 32);
      byte[] name = image.getLong(8) == 0 ? new byte[0] : image.bytes(image.getLong(8), length);
      return new String(name, StandardCharsets.UTF_8);
    }
  }
}
