// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Random requests of any alignment on chains, compared with a plain array. */
class PipelineModelTest {
  private static final int CLUSTER = 4096;
  private static final int STEPS = 600 * Images.SCALE;

  @ParameterizedTest(name = "alignment {0}, {1} layers, copy-on-read {2}, detect zeroes {3}")
  @CsvSource({
    "1,1,false,OFF", "512,1,false,ON", "4096,1,false,UNMAP",
    "1,2,false,ON", "512,2,true,OFF", "4096,2,true,UNMAP",
    "1,3,true,ON", "512,3,false,OFF", "4096,3,true,ON"
  })
  void aChainReadsAsThePlainArrayDoes(
      int alignment, int layers, boolean copyOnRead, DetectZeroesMode detectZeroes)
      throws IOException {
    for (long seed = 1; seed <= 12; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      Chain chain = chain(random, alignment, layers, copyOnRead, detectZeroes);
      for (int step = 0; step < STEPS; step++) {
        String context = "seed " + seed + " step " + step;
        try {
          chain.step(random, context);
        } catch (IOException | RuntimeException | AssertionError failure) {
          throw new AssertionError(context + ": " + failure.getMessage(), failure);
        }
      }
      chain.check(0, chain.model.length(), "seed " + seed + " at the end");
      chain.assertNothingInFlight();
    }
  }

  private static Chain chain(
      SplittableRandom random,
      int alignment,
      int layers,
      boolean copyOnRead,
      DetectZeroesMode detectZeroes)
      throws IOException {
    Chain chain = new Chain();
    int common = 40 * CLUSTER;
    for (int i = 0; i < layers; i++) {
      boolean top = i == layers - 1;
      int length = common + (random.nextInt(16) - 8) * CLUSTER + random.nextInt(8) * 512;
      PipelineOptions options =
          PipelineOptions.writable("layer" + i)
              .withCopyOnRead(top && copyOnRead)
              .withDetectZeroes(top ? detectZeroes : DetectZeroesMode.OFF);
      int cluster = Math.max(alignment, top ? CLUSTER : CLUSTER << random.nextInt(2));
      chain.add(new OverlayInstance(roundUp(length, alignment), cluster, alignment), options);
      for (int n = 0; n < 20 && !top; n++) {
        chain.write(random, "preparing layer " + i);
      }
    }
    return chain;
  }

  private static int roundUp(int length, int alignment) {
    return (length + alignment - 1) / alignment * alignment;
  }

  /** A stack of layers and what its top must read as. */
  private static final class Chain {
    private final List<RequestPipeline> pipelines = new ArrayList<>();
    private DiskModel model = new DiskModel(0);

    void add(OverlayInstance instance, PipelineOptions options) {
      RequestPipeline pipeline = new RequestPipeline(instance, options);
      if (!pipelines.isEmpty()) {
        pipeline.attachBacking(top());
        instance.attachBacking(new PipelineIo(top()));
      }
      pipelines.add(pipeline);
      model.truncate((int) instance.length());
    }

    RequestPipeline top() {
      return pipelines.get(pipelines.size() - 1);
    }

    void step(SplittableRandom random, String context) throws IOException {
      switch (random.nextInt(8)) {
        case 0, 1, 2 -> write(random, context);
        case 3 -> zeroes(random);
        case 4 -> discard(random);
        case 5 -> reserve(random);
        default -> read(random, context);
      }
    }

    private void read(SplittableRandom random, String context) throws IOException {
      int offset = offset(random);
      check(offset, length(random, offset), context);
    }

    void check(int offset, int length, String context) throws IOException {
      ByteBuffer target = ByteBuffer.allocateDirect(length + 700);
      top().read(offset, target);
      target.flip();
      int inside = Math.min(length + 700, model.length() - offset);
      model.check(offset, target.slice(0, inside), context);
      assertThat(target.slice(inside, length + 700 - inside).mismatch(zeros(length + 700 - inside)))
          .isEqualTo(-1);
    }

    private static ByteBuffer zeros(int length) {
      return ByteBuffer.allocate(length);
    }

    void write(SplittableRandom random, String context) throws IOException {
      int offset = offset(random);
      int length = length(random, offset);
      ByteBuffer source = Images.bytes(length, random.nextLong());
      if (random.nextInt(6) == 0) {
        source.put(new byte[length]).flip();
      }
      model.write(offset, source);
      top().write(offset, source, random.nextInt(4) == 0 ? WriteFlags.FUA : WriteFlags.NONE);
      assertThat(source.hasRemaining()).as(context).isFalse();
    }

    private void zeroes(SplittableRandom random) throws IOException {
      int offset = offset(random);
      int length = length(random, offset);
      WriteFlags flags = random.nextBoolean() ? WriteFlags.MAY_UNMAP : WriteFlags.NONE;
      top().writeZeroes(offset, length, flags);
      model.writeZeroes(offset, length);
    }

    private void discard(SplittableRandom random) throws IOException {
      int offset = offset(random);
      int length = length(random, offset);
      top().discard(offset, length);
      model.discard(offset, length);
    }

    private void reserve(SplittableRandom random) throws IOException {
      int offset = offset(random);
      top().reserve(offset, Math.min(20_000, length(random, offset)));
    }

    private int offset(SplittableRandom random) {
      int offset = random.nextInt(model.length());
      return switch (random.nextInt(4)) {
        case 0 -> offset & -CLUSTER;
        case 1 -> offset & -512;
        default -> offset;
      };
    }

    private int length(SplittableRandom random, int offset) {
      int longest = model.length() - offset;
      int length =
          switch (random.nextInt(4)) {
            case 0 -> CLUSTER * (1 + random.nextInt(20));
            case 1 -> 1 + random.nextInt(600);
            case 2 -> longest;
            default -> 1 + random.nextInt(3 * CLUSTER);
          };
      return Math.min(random.nextInt(10) == 0 ? 512 : length, longest);
    }

    void assertNothingInFlight() {
      pipelines.forEach(RequestPipeline::drain);
    }
  }
}
