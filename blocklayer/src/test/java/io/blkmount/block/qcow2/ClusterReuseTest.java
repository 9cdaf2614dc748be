// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.GateInstance;
import io.blkmount.block.testing.GateInstance.Gate;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.Qcow2Checker;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A dropped cluster is not used again while a request that looked it up is still in the host: it
 * would land in somebody else's data, and no check could see it.
 */
final class ClusterReuseTest {
  private static final int CLUSTER = 4096;
  private static final int LENGTH = 1 << 20;

  private final ExecutorService pool = Executors.newSingleThreadExecutor();
  private MemoryInstance memory;
  private GateInstance host;
  private TestImage image;
  private DriverInstance driver;
  private long hostOffset;

  @BeforeEach
  void writeOneCluster() throws IOException {
    memory = MemoryInstance.file(ImageShape.of(CLUSTER, LENGTH).create(), 1);
    host = new GateInstance(memory);
    image = TestImage.open(host, null);
    driver = image.driver();
    driver.write(0, Images.bytes(CLUSTER, 1), WriteFlags.NONE);
    driver.flush();
    hostOffset = driver.extentAt(0, CLUSTER).hostOffset();
  }

  @AfterEach
  void stop() {
    pool.shutdown();
  }

  @Test
  void readInFlightSeesWhatWasThere() throws Exception {
    Gate gate = host.holdNext(call -> call.kind() == Kind.READ && call.offset() == hostOffset);
    Future<ByteBuffer> read = pool.submit(() -> Images.read(driver, 0, CLUSTER));
    gate.awaitCall();

    dropAndFill();
    gate.open();

    assertThat(read.get()).isEqualTo(Images.bytes(CLUSTER, 1));
    finish();
  }

  @Test
  void writeInFlightHitsNobodyElse() throws Exception {
    Gate gate = host.holdNext(call -> call.kind() == Kind.WRITE && call.offset() == hostOffset);
    Future<Void> write =
        pool.submit(
            () -> {
              driver.write(0, Images.bytes(CLUSTER, 2), WriteFlags.NONE);
              return null;
            });
    gate.awaitCall();

    dropAndFill();
    gate.open();

    assertThat(write.get()).isNull();
    finish();
  }

  /** Discards the cluster, makes that durable, and fills the rest of the disk. */
  private void dropAndFill() throws IOException {
    driver.discard(0, CLUSTER);
    for (int i = 0; i < 3; i++) {
      driver.flush();
    }
    for (int at = CLUSTER; at < LENGTH; at += CLUSTER) {
      driver.write(at, Images.bytes(CLUSTER, at), WriteFlags.NONE);
    }
    driver.flush();
  }

  /** The rest is as it was written, and the cluster comes back once its request has ended. */
  private void finish() throws IOException {
    for (int at = CLUSTER; at < LENGTH; at += CLUSTER) {
      assertThat(Images.read(driver, at, CLUSTER)).isEqualTo(Images.bytes(CLUSTER, at));
    }
    image.close();
    assertThat(Qcow2Checker.check(memory.content())).matches(Qcow2Checker.Findings::isClean);
  }
}
