// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.backend.ImageCorrupted;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.text.MessageFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CyclicBarrier;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a program is told of an image that turns out to be damaged, and what the log says. */
@Timeout(60)
final class DamageEventTest {
  private static final int LENGTH = 1 << 20;
  private static final int CLUSTER = 1 << 16;

  /** Of the header: where the L1 table is. */
  private static final int L1_TABLE_OFFSET_AT = 40;

  /** Of the header: the lowest byte of the incompatible features. */
  private static final int INCOMPATIBLE_FEATURES_END = 79;

  @TempDir Path folder;
  private final List<ImageCorrupted> events = new CopyOnWriteArrayList<>();

  /** Makes an image whose first cluster is mapped by an L2 table that is not where a cluster is. */
  private String damaged(String name) throws IOException {
    String image = folder.resolve(name).toString();
    BlockLayer.create(image, "qcow2", CreateOptions.ofLength(LENGTH));
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(image))) {
      disk.write(0, Images.bytes(CLUSTER, 1));
    }
    try (RandomAccessFile file = new RandomAccessFile(image, "rw")) {
      file.seek(L1_TABLE_OFFSET_AT);
      long l1 = file.readLong();
      file.seek(l1);
      long entry = file.readLong();
      file.seek(l1);
      file.writeLong(entry + 512);
    }
    return image;
  }

  private BlockBackend open(OpenOptions options) throws IOException {
    BlockBackend disk = BlockLayer.open(options);
    disk.addListener(events::add);
    return disk;
  }

  private static void assertDamaged(BlockBackend disk) {
    assertThatThrownBy(() -> disk.read(0, ByteBuffer.allocateDirect(512)))
        .isInstanceOf(CorruptImageException.class);
  }

  @Test
  void theFirstSignIsAnEventAndLaterOnesAreCounted() throws IOException {
    String image = damaged("disk.qcow2");
    List<String> log = new ArrayList<>();
    Handler collector = new Collector(log);
    Logger logger = Logger.getLogger("io.blkmount.block.qcow2.Corruption");
    logger.addHandler(collector);
    try (BlockBackend disk = open(OpenOptions.of(image))) {
      assertThat(disk.writable()).isTrue();

      assertDamaged(disk);
      assertDamaged(disk);
      assertThatThrownBy(() -> disk.write(0, Images.bytes(512, 2)))
          .isInstanceOf(BlockException.class);
      assertDamaged(disk);

      assertThat(disk.writable()).isFalse();
    } finally {
      logger.removeHandler(collector);
    }

    assertThat(events).hasSize(1);
    ImageCorrupted event = events.get(0);
    assertThat(event.imageName()).isEqualTo(image);
    assertThat(event.message()).startsWith("L2 table at host offset 0x");
    assertThat(event.fatal()).isTrue();
    assertThat(log)
        .containsExactly(
            image + ": " + event.message() + "; later signs of damage are counted",
            image + ": later signs of damage: 2");
  }

  @Test
  void theImageIsMarkedBeforeTheEventComes() throws IOException {
    String image = damaged("disk.qcow2");
    List<Integer> marks = new ArrayList<>();
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(image))) {
      disk.addListener(event -> marks.add(features(image)));
      disk.addListener(events::add);

      assertDamaged(disk);
    }

    assertThat(marks).containsExactly(2);
    assertThat(events).hasSize(1);
  }

  private static int features(String image) {
    try (RandomAccessFile file = new RandomAccessFile(image, "r")) {
      file.seek(INCOMPATIBLE_FEATURES_END);
      return file.read();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void anImageThatIsOnlyReadIsNotSpentByIt() throws IOException {
    String base = damaged("base.qcow2");
    String top = folder.resolve("top.qcow2").toString();
    BlockLayer.create(
        top, "qcow2", new CreateOptions(LENGTH, new BackingReference(base, "qcow2"), Map.of()));

    try (BlockBackend disk = open(OpenOptions.of(top))) {
      assertDamaged(disk);
      assertDamaged(disk);
      disk.write(0, Images.bytes(CLUSTER, 2));
    }

    assertThat(events).hasSize(1);
    assertThat(events.get(0).imageName()).isEqualTo(base);
    assertThat(events.get(0).fatal()).isFalse();
    assertThat(features(base)).isZero();
  }

  @Test
  void requestsThatMeetDamageTogetherMakeOneEvent() throws Exception {
    String image = damaged("disk.qcow2");
    int count = 8;
    CyclicBarrier start = new CyclicBarrier(count);
    List<Throwable> failures = new CopyOnWriteArrayList<>();
    try (BlockBackend disk = open(OpenOptions.of(image))) {
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        threads.add(new Thread(() -> meet(disk, start, failures)));
      }
      threads.forEach(Thread::start);
      for (Thread thread : threads) {
        thread.join();
      }
    }

    assertThat(failures).hasSize(count).hasOnlyElementsOfType(CorruptImageException.class);
    assertThat(events).hasSize(1);
    assertThat(features(image)).isEqualTo(2);
  }

  private static void meet(BlockBackend disk, CyclicBarrier start, List<Throwable> failures) {
    try {
      start.await();
      disk.read(0, ByteBuffer.allocateDirect(512));
    } catch (Exception e) {
      failures.add(e);
    }
  }

  @Test
  void aListenerThatFailsHidesNothing() throws IOException {
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(damaged("disk.qcow2")))) {
      IllegalStateException ours = new IllegalStateException("of the listener");
      disk.addListener(
          event -> {
            throw ours;
          });

      assertThatThrownBy(() -> disk.read(0, ByteBuffer.allocateDirect(512)))
          .isInstanceOf(CorruptImageException.class)
          .hasSuppressedException(ours);
    }
  }

  /** Keeps the lines. */
  private static final class Collector extends Handler {
    private final List<String> lines;

    Collector(List<String> lines) {
      this.lines = lines;
    }

    @Override
    public void publish(LogRecord entry) {
      lines.add(
          entry.getParameters() == null
              ? entry.getMessage()
              : MessageFormat.format(entry.getMessage(), entry.getParameters()));
    }

    @Override
    public void flush() {
      // Nothing is held back.
    }

    @Override
    public void close() {
      // Nothing is open.
    }
  }
}
