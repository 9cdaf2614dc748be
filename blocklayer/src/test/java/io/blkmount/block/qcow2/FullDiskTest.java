// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An image on a device that is smaller than the disk: what the guest gives back is there again. */
final class FullDiskTest {
  private static final int CLUSTER = 4096;
  private static final int LENGTH = 1 << 20;
  private static final int DEVICE_CLUSTERS = 64;

  private final ExecutorService pool = Executors.newSingleThreadExecutor();
  private MemoryInstance memory;
  private GateInstance gated;
  private RecordingInstance host;
  private TestImage image;

  /** How many clusters of the disk have been written; the next one finds no room. */
  private int written;

  @BeforeEach
  void fill() throws IOException {
    PagedBytes device = ImageShape.of(CLUSTER, LENGTH).create();
    device.setLength((long) DEVICE_CLUSTERS * CLUSTER);
    MemoryInstance file = MemoryInstance.file(device, 1);
    memory = new MemoryInstance(device, file.limits(), MemoryInstance.DEVICE);
    gated = new GateInstance(memory);
    host = new RecordingInstance(gated);
    image = TestImage.open(host, null);
    while (tryWrite(written)) {
      written++;
    }
    image.io().flush();
    host.clear();
  }

  private boolean tryWrite(int cluster) throws IOException {
    try {
      write(cluster, CLUSTER);
      return true;
    } catch (BlockException full) {
      assertThat(full.error()).isEqualTo(BlockError.NO_SPACE);
      return false;
    }
  }

  private void write(int cluster, int length) throws IOException {
    image.io().write((long) cluster * CLUSTER, Images.bytes(length, cluster), WriteFlags.NONE);
  }

  @AfterEach
  void everyByteIsThere() throws IOException {
    pool.shutdown();
    image.close();
    assertThat(Qcow2Checker.check(memory.content())).matches(Qcow2Checker.Findings::isClean);
  }

  @Test
  void writeWithNothingToGetBackFailsAtOnce() {
    BlockException full = catchThrowableOfType(BlockException.class, () -> write(written, CLUSTER));

    assertThat(full.error()).isEqualTo(BlockError.NO_SPACE);
    assertThat(host.calls(Kind.FLUSH)).isEmpty();
  }

  @Test
  void writeGetsTheClustersThatWaitForAFlush() throws IOException {
    image.io().discard(3 * CLUSTER, 2 * CLUSTER);

    write(written, 2 * CLUSTER);

    assertThat(Images.read(image.io(), (long) written * CLUSTER, 2 * CLUSTER))
        .isEqualTo(Images.bytes(2 * CLUSTER, written));
    requireOthersUnchanged();
  }

  /** The first half of the request is made again with the second: nothing of it is lost. */
  @Test
  void writeThatNeedsMoreThanThereIsLeavesTheRestOfTheDiskAlone() throws IOException {
    image.io().discard(3 * CLUSTER, 2 * CLUSTER);

    BlockException full =
        catchThrowableOfType(BlockException.class, () -> write(written, 4 * CLUSTER));

    assertThat(full.error()).isEqualTo(BlockError.NO_SPACE);
    requireOthersUnchanged();
  }

  /** The dropped cluster is free only when who may still look at it has ended. */
  @Test
  void writeWaitsForRequestsThatWereInFlight() throws Exception {
    Gate read = gated.holdNext(call -> call.kind() == Kind.READ);
    Future<?> reader = pool.submit(() -> Images.read(image.driver(), 0, CLUSTER));
    read.awaitCall();
    image.io().discard(3 * CLUSTER, CLUSTER);
    Gate flush = gated.holdNext(call -> call.kind() == Kind.FLUSH);
    ExecutorService other = Executors.newSingleThreadExecutor();
    try {
      Future<Boolean> writer = other.submit(() -> tryWrite(written));
      flush.awaitCall(); // the writer has found no room
      flush.open();
      read.open();

      assertThat(writer.get()).isTrue();
      assertThat(reader.get()).isEqualTo(Images.bytes(CLUSTER, 0));
    } finally {
      other.shutdown();
    }
    requireOthersUnchanged();
  }

  private void requireOthersUnchanged() throws IOException {
    for (int cluster = 0; cluster < written; cluster++) {
      if (cluster < 3 || cluster > 4) {
        assertThat(Images.read(image.io(), (long) cluster * CLUSTER, CLUSTER))
            .as("cluster %d", cluster)
            .isEqualTo(Images.bytes(CLUSTER, cluster));
      }
    }
  }
}
