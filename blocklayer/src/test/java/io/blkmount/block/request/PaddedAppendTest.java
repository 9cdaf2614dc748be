// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.GateInstance;
import io.blkmount.block.testing.GateInstance.Gate;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

final class PaddedAppendTest {
  private static final int BLOCK = 4096;

  /** Its end is whole, so that it is not alone at the end of the file: it must cut nothing off. */
  @Test
  void appendWithAnUnalignedStartLeavesWhatOthersAppendBehindIt() throws Exception {
    MemoryInstance file = MemoryInstance.aligned(BLOCK, BLOCK);
    GateInstance gated = new GateInstance(file);
    RequestPipeline pipeline = new RequestPipeline(gated, PipelineOptions.writable("file"));
    ExecutorService pool = Executors.newSingleThreadExecutor();
    try {
      Gate gate = gated.holdNext(call -> call.kind() == Kind.WRITE);
      Future<Void> padded =
          pool.submit(
              () -> {
                pipeline.write(BLOCK + 512, Images.bytes(BLOCK - 512, 1), WriteFlags.NONE);
                return null;
              });
      gate.awaitCall();
      pipeline.write(2 * BLOCK, Images.bytes(BLOCK, 2), WriteFlags.NONE);
      gate.open();
      assertThat(padded.get()).isNull();
    } finally {
      pool.shutdown();
    }

    assertThat(file.length()).isEqualTo(3 * BLOCK);
    assertThat(Images.read(file, 2 * BLOCK, BLOCK)).isEqualTo(Images.bytes(BLOCK, 2));
  }
}
