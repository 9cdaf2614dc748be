// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.GateInstance;
import io.blkmount.block.testing.GateInstance.Gate;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A disk with an external data file grows while its last cluster is written. */
@Timeout(60)
final class DataFileGrowthTest {
  private static final int CLUSTER = 65536;
  private static final int LENGTH = CLUSTER + 1536;

  /** A write fills up its cluster as far as the disk goes: behind that, zeros would be garbage. */
  @Test
  void whatAnEncryptedDiskGainsReadsAsZeros() throws Exception {
    MemoryInstance file = MemoryInstance.ofLength(0);
    MemoryInstance data = MemoryInstance.ofLength(0);
    String options = "cluster_size=65536,encrypt.format=luks,encrypt.iter-time=10";
    ImageFiles.create(file, data, LENGTH, options);
    GateInstance gated = new GateInstance(data);
    ImageFiles files = ImageFiles.over(file, gated);
    try (TestImage image = TestImage.open(files, true, null, TestImage.Options.DEFAULT)) {
      Gate gate = gated.holdNext(call -> call.kind() == Kind.WRITE);
      FutureTask<?> write =
          start(() -> image.io().write(CLUSTER, Images.bytes(512, 1), WriteFlags.NONE));
      gate.awaitCall();
      FutureTask<?> growth =
          started(() -> image.pipeline().truncate(2 * CLUSTER, Preallocation.OFF));

      gate.open();
      write.get();
      growth.get();

      assertThat(Zeroes.isZero(Images.read(image.io(), LENGTH, 2 * CLUSTER - LENGTH))).isTrue();
      assertThat(Images.read(image.io(), CLUSTER, 512)).isEqualTo(Images.bytes(512, 1));
    }
  }

  private interface Request {
    void run() throws Exception;
  }

  private static FutureTask<?> task(Request request) {
    return new FutureTask<>(
        () -> {
          request.run();
          return true;
        });
  }

  private static FutureTask<?> start(Request request) {
    FutureTask<?> task = task(request);
    new Thread(task).start();
    return task;
  }

  /** Starts a request and comes back when it is over, or waits for another one. */
  private static FutureTask<?> started(Request request) {
    FutureTask<?> task = task(request);
    Thread thread = new Thread(task);
    thread.start();
    while (!task.isDone() && thread.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
    return task;
  }
}
