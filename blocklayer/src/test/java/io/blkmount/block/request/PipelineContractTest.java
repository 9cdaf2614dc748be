// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.testing.BlockIoContract;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import java.util.Arrays;
import org.junit.jupiter.api.Nested;

/** The contract of byte I/O, held by pipelines in front of files, devices and chains. */
class PipelineContractTest {
  private static final PipelineOptions OPTIONS = PipelineOptions.writable("disk");

  @Nested
  class FileOfBytes extends BlockIoContract {
    @Override
    protected BlockIo open(byte[] content) {
      return new PipelineIo(new RequestPipeline(MemoryInstance.of(content), OPTIONS));
    }

    @Override
    protected boolean grows() {
      return true;
    }
  }

  @Nested
  class FileOfBlocksThatIgnoresDiscards extends BlockIoContract {
    @Override
    protected BlockIo open(byte[] content) {
      MemoryInstance file =
          new MemoryInstance(
              PagedBytes.of(content), BlockLimits.ofBlocks(4096, 1), MemoryInstance.FILE);
      PipelineOptions options =
          OPTIONS.withDiscard(DiscardMode.IGNORE).withDetectZeroes(DetectZeroesMode.ON);
      return new PipelineIo(new RequestPipeline(file, options));
    }

    @Override
    protected boolean grows() {
      return true;
    }
  }

  @Nested
  class DeviceWithNarrowLimits extends BlockIoContract {
    @Override
    protected BlockIo open(byte[] content) {
      BlockLimits limits = new BlockLimits(512, 512, 8192, 1024, 3072, 2048, 6144, 1);
      MemoryInstance device =
          new MemoryInstance(PagedBytes.of(content), limits, MemoryInstance.DEVICE);
      return new PipelineIo(new RequestPipeline(device, OPTIONS));
    }
  }

  @Nested
  class OverlayOfALongerBase extends BlockIoContract {
    @Override
    protected BlockIo open(byte[] content) {
      return overlay(Arrays.copyOf(content, LENGTH + 70_000), 1, OPTIONS);
    }
  }

  @Nested
  class OverlayOfBlocksWithCopyOnRead extends BlockIoContract {
    @Override
    protected BlockIo open(byte[] content) {
      return overlay(content, 512, OPTIONS.withCopyOnRead(true));
    }
  }

  private static BlockIo overlay(byte[] content, int alignment, PipelineOptions options) {
    RequestPipeline base =
        new RequestPipeline(MemoryInstance.of(content), PipelineOptions.readOnly("base"));
    OverlayInstance overlay = new OverlayInstance(BlockIoContract.LENGTH, 8192, alignment);
    overlay.attachBacking(new PipelineIo(base));
    RequestPipeline pipeline = new RequestPipeline(overlay, options);
    pipeline.attachBacking(base);
    return new PipelineIo(pipeline);
  }
}
