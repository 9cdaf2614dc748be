// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Fails every single driver call of every kind of request. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FailureSweepTest {
  private static final int LENGTH = 300_000;
  private static final ByteRange RANGE = new ByteRange(10_001, 100_003);
  private static final Set<Kind> ALL = EnumSet.allOf(Kind.class);

  /** A request over {@link #RANGE}. */
  private enum Request {
    READ {
      @Override
      void run(RequestPipeline pipeline) throws IOException {
        pipeline.read(RANGE.offset(), ByteBuffer.allocateDirect((int) RANGE.length()));
      }
    },
    WRITE {
      @Override
      void run(RequestPipeline pipeline) throws IOException {
        ByteBuffer source = Images.bytes((int) RANGE.length(), 99);
        pipeline.write(RANGE.offset(), source, WriteFlags.FUA);
      }
    },
    WRITE_ZEROES {
      @Override
      void run(RequestPipeline pipeline) throws IOException {
        pipeline.writeZeroes(RANGE.offset(), RANGE.length(), WriteFlags.MAY_UNMAP);
      }
    },
    DISCARD {
      @Override
      void run(RequestPipeline pipeline) throws IOException {
        pipeline.discard(RANGE.offset(), RANGE.length());
      }
    },
    RESERVE {
      @Override
      void run(RequestPipeline pipeline) throws IOException {
        pipeline.reserve(RANGE.offset(), RANGE.length());
      }
    };

    abstract void run(RequestPipeline pipeline) throws IOException;

    boolean changesBytes() {
      return this == WRITE || this == WRITE_ZEROES || this == DISCARD;
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingOutsideTheRangeChangesOnAChain(Request request) throws IOException {
    for (int alignment : new int[] {1, 512, 4096}) {
      sweep(request, alignment, true);
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingOutsideTheRangeChangesOnAFile(Request request) throws IOException {
    for (int alignment : new int[] {1, 512, 4096}) {
      sweep(request, alignment, false);
    }
  }

  private static void sweep(Request request, int alignment, boolean chain) throws IOException {
    for (int n = 0; ; n++) {
      DriverInstance top =
          chain
              ? new OverlayInstance(LENGTH, 8192, alignment)
              : MemoryInstance.aligned(LENGTH, alignment);
      FaultInstance faults = new FaultInstance(top, ALL, BlockError.IO, true);
      RequestPipeline pipeline = pipeline(faults, top);
      byte[] before = content(pipeline);
      faults.failOnce(n);
      boolean failed = fails(request, pipeline);
      boolean tripped = faults.tripped();
      faults.heal();
      String context = request + " alignment " + alignment + " call " + n;
      assertThat(failed).as("%s: failed as the driver did", context).isEqualTo(tripped);
      assertOthersUnchanged(request, before, content(pipeline), context);
      request.run(pipeline);
      pipeline.drain();
      if (!tripped) {
        return;
      }
    }
  }

  private static RequestPipeline pipeline(FaultInstance faults, DriverInstance top)
      throws IOException {
    RequestPipeline pipeline =
        new RequestPipeline(faults, PipelineOptions.writable("top").withCopyOnRead(true));
    if (top instanceof OverlayInstance overlay) {
      MemoryInstance base = MemoryInstance.of(DiskModel.pattern(LENGTH - 100_000, 7));
      RequestPipeline below = new RequestPipeline(base, PipelineOptions.readOnly("base"));
      pipeline.attachBacking(below);
      overlay.attachBacking(new PipelineIo(below));
    } else {
      pipeline.write(0, Images.bytes(LENGTH, 7), WriteFlags.NONE);
    }
    return pipeline;
  }

  private static boolean fails(Request request, RequestPipeline pipeline) {
    try {
      request.run(pipeline);
      return false;
    } catch (IOException failure) {
      assertThat(failure).hasMessageContaining("injected failure");
      return true;
    }
  }

  private static byte[] content(RequestPipeline pipeline) throws IOException {
    byte[] bytes = new byte[LENGTH];
    ChainReader.read(pipeline.layer(), 0, ByteBuffer.wrap(bytes));
    return bytes;
  }

  private static void assertOthersUnchanged(
      Request request, byte[] before, byte[] after, String context) {
    if (request.changesBytes()) {
      Arrays.fill(before, (int) RANGE.offset(), (int) RANGE.end(), (byte) 0);
      Arrays.fill(after, (int) RANGE.offset(), (int) RANGE.end(), (byte) 0);
    }
    assertThat(Arrays.mismatch(before, after)).as(context).isEqualTo(-1);
  }

  @ParameterizedTest(name = "write of {0} bytes")
  @ValueSource(ints = {1, 600, 5000, 200_000})
  void aFailingReadOfReadModifyWriteLeavesTheDiskAsItWas(int count) throws IOException {
    for (int n = 0; ; n++) {
      MemoryInstance file = MemoryInstance.aligned(LENGTH, 512);
      FaultInstance faults = new FaultInstance(file, Set.of(Kind.READ), BlockError.IO, false);
      RequestPipeline pipeline = new RequestPipeline(faults, PipelineOptions.writable("file"));
      pipeline.write(0, Images.bytes(LENGTH, 7), WriteFlags.NONE);
      byte[] before = file.content().bytes(0, LENGTH);
      faults.failOnce(n);
      try {
        pipeline.write(1003, Images.bytes(count, 99), WriteFlags.NONE);
      } catch (BlockException failure) {
        assertThat(file.content().bytes(0, LENGTH)).isEqualTo(before);
      }
      if (!faults.tripped()) {
        return;
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void anErrorOfTheMachineLeavesNoRequestBehind(Request request) throws IOException {
    ForwardingInstance broken =
        new ForwardingInstance(MemoryInstance.aligned(LENGTH, 512)) {
          @Override
          protected void before(Call call) {
            throw new OutOfMemoryError("test");
          }
        };
    RequestPipeline pipeline = new RequestPipeline(broken, PipelineOptions.writable("file"));

    assertThatThrownBy(() -> request.run(pipeline)).isInstanceOf(OutOfMemoryError.class);

    pipeline.drain();
  }

  @Test
  void aReadOnlyNodeRefusesEveryChangeBeforeTheDriverSeesIt() throws IOException {
    FaultInstance faults = new FaultInstance(MemoryInstance.ofLength(LENGTH), 0);
    RequestPipeline pipeline = new RequestPipeline(faults, PipelineOptions.readOnly("base.raw"));

    for (Request request : EnumSet.complementOf(EnumSet.of(Request.READ))) {
      assertThatThrownBy(() -> request.run(pipeline))
          .isInstanceOfSatisfying(
              BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.READ_ONLY))
          .hasMessage("node \"base.raw\" is read-only");
    }

    assertThat(faults.tripped()).isFalse();
  }
}
