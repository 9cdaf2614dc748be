// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.ForwardingInstance.Call;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.GateInstance;
import io.blkmount.block.testing.GateInstance.Gate;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** What reaches the host when a write needs new clusters: as few requests as there can be. */
final class AllocatingWriteTest {
  private static final int CLUSTER = 65536;
  private static final int LENGTH = 64 << 20;
  private static final int PAGE = 4096;

  private final ImageShape shape = ImageShape.of(CLUSTER, LENGTH);
  private final MemoryInstance memory = MemoryInstance.file(shape.create(), 1);
  private final RecordingInstance host = new RecordingInstance(memory);

  @Test
  void runOfClustersIsOneWriteInOneStretch() throws IOException {
    try (TestImage image = TestImage.open(host, null)) {
      write(image, 0, PAGE); // makes the L2 table
      host.clear();

      write(image, CLUSTER, 16 * CLUSTER);
      write(image, 17 * CLUSTER, 16 * CLUSTER);

      assertThat(host.calls(Kind.WRITE)).hasSize(2).allMatch(call -> call.length() == 16 * CLUSTER);
      assertThat(image.driver().extentAt(CLUSTER, LENGTH - CLUSTER).length())
          .isEqualTo(32 * CLUSTER);
    }
  }

  @Test
  void edgesAreNotWrittenWhereTheFileNeverReached() throws IOException {
    try (TestImage image = TestImage.open(host, null)) {
      requireWriteOf(PAGE, image, 3 * CLUSTER + 2 * PAGE);
      requireWriteOf(PAGE, image, 7 * CLUSTER);
    }
    try (TestImage image = TestImage.open(host, null)) {
      requireWriteOf(PAGE, image, 9 * CLUSTER + 5 * PAGE);
      assertThat(Images.read(image.driver(), 9 * CLUSTER, CLUSTER).slice(0, 5 * PAGE))
          .isEqualTo(Images.read(image.driver(), 20 * CLUSTER, 5 * PAGE));
    }
    requireClean();
  }

  @Test
  void usedClusterIsWrittenWhole() throws IOException {
    try (TestImage image = TestImage.open(host, null)) {
      write(image, 0, 2 * CLUSTER);
      image.driver().discard(0, CLUSTER);
      image.driver().flush();
      image.driver().flush();

      requireWriteOf(CLUSTER, image, 5 * CLUSTER + PAGE);

      assertThat(Images.read(image.driver(), 5 * CLUSTER, PAGE))
          .isEqualTo(Images.read(image.driver(), 20 * CLUSTER, PAGE));
    }
    requireClean();
  }

  @Test
  void copyOnWriteIsOneReadAndOneWrite() throws IOException {
    PagedBytes below = new PagedBytes(LENGTH);
    below.write(0, Images.bytes(4 * CLUSTER, 3));
    RecordingInstance base = new RecordingInstance(MemoryInstance.file(below, 1));
    try (TestImage image = TestImage.openOver(host, base)) {
      write(image, 0, CLUSTER); // makes the L2 table
      base.clear();

      requireWriteOf(CLUSTER, image, 2 * CLUSTER + 3 * PAGE);

      assertThat(base.calls(Kind.READ)).containsExactly(Call.of(Kind.READ, 2 * CLUSTER, CLUSTER));
      assertThat(Images.read(image.driver(), 2 * CLUSTER, 3 * PAGE))
          .isEqualTo(Images.bytes(4 * CLUSTER, 3).slice(2 * CLUSTER, 3 * PAGE));
    }
  }

  /** A hole of the backing file stays one around the data. */
  @Test
  void zerosOfTheBackingFileAreNotCopied() throws IOException {
    try (TestImage image = TestImage.open(host, new PagedBytes(LENGTH))) {
      write(image, 0, CLUSTER);

      requireWriteOf(PAGE, image, 2 * CLUSTER + 3 * PAGE);
    }
    requireClean();
  }

  /** A flush is what the table in the design says, and no more. */
  @Test
  void flushSyncsAsOftenAsTheOrderNeeds() throws IOException {
    try (TestImage image = TestImage.open(host, null)) {
      write(image, 0, PAGE);
      assertThat(flushes(image)).as("new L2 table, new entry in L1").isEqualTo(3);
      write(image, 5 * CLUSTER, 3 * CLUSTER);
      assertThat(flushes(image)).as("new clusters").isEqualTo(2);
      write(image, 0, PAGE);
      assertThat(flushes(image)).as("no new clusters").isEqualTo(1);
      assertThat(host.calls(Kind.WRITE)).isEmpty();
      image.io().discard(0, CLUSTER);
      assertThat(flushes(image)).as("only an entry").isEqualTo(1);
    }
  }

  @Test
  void writesOfTwoClustersAndAFlushOverlap() throws Exception {
    GateInstance gated = new GateInstance(memory);
    ExecutorService pool = Executors.newSingleThreadExecutor();
    try (TestImage image = TestImage.open(gated, null)) {
      write(image, 0, PAGE);
      Gate gate = gated.holdNext(call -> call.kind() == Kind.WRITE && call.length() == 2 * PAGE);
      Future<?> held =
          pool.submit(
              () -> {
                write(image, CLUSTER, 2 * PAGE);
                return null;
              });
      gate.awaitCall();

      write(image, 2 * CLUSTER, PAGE); // would hang if the first held anything
      image.io().flush();

      assertThat(Images.read(image.io(), 2 * CLUSTER, PAGE)).isEqualTo(Images.bytes(PAGE, PAGE));
      gate.open();
      assertThat(held.get()).isNull();
      assertThat(Images.read(image.io(), CLUSTER, 2 * PAGE))
          .isEqualTo(Images.bytes(2 * PAGE, 2 * PAGE));
    } finally {
      pool.shutdown();
    }
    requireClean();
  }

  private static void write(TestImage image, int offset, int length) throws IOException {
    image.io().write(offset, Images.bytes(length, length), WriteFlags.NONE);
  }

  /** Writes a page and looks at what became of it in the host. */
  private void requireWriteOf(int hostLength, TestImage image, int offset) throws IOException {
    host.clear();
    write(image, offset, PAGE);
    assertThat(host.calls(Kind.WRITE)).hasSize(1).allMatch(call -> call.length() == hostLength);
    assertThat(Images.read(image.io(), offset, PAGE)).isEqualTo(Images.bytes(PAGE, PAGE));
  }

  private int flushes(TestImage image) throws IOException {
    host.clear();
    image.io().flush();
    return host.calls(Kind.FLUSH).size();
  }

  private void requireClean() {
    assertThat(Qcow2Checker.check(memory.content())).matches(Qcow2Checker.Findings::isClean);
  }
}
