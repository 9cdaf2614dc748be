// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** O_DIRECT at lengths and addresses that the kernel does not take. */
final class DirectTransferTest {
  private static final Map<String, String> DIRECT = Map.of("cache.direct", "on");

  @TempDir Path directory;
  private Path path;

  @BeforeEach
  void createFile() throws IOException {
    path = Files.createFile(directory.resolve("disk.raw"));
  }

  @Test
  void oddEndIsReadAndWrittenWithoutChangingTheLength() throws IOException {
    byte[] content = HostImages.bytes(HostImages.pattern(10_001, false));
    Files.write(path, content);

    try (HostFile file = HostImages.open(path.toString(), true, DIRECT)) {
      int block = file.limits().requestAlignment();
      assertThat(block).isBetween(512, 4096);
      ByteBuffer read = ByteBuffer.allocateDirect(5 * 4096);
      file.read(0, read);
      assertThat(HostImages.bytes(read.flip())).isEqualTo(Arrays.copyOf(content, 5 * 4096));

      long last = Alignment.down(10_001, block);
      file.write(last, HostImages.filled((int) (10_001 - last), (byte) 3), WriteFlags.NONE);

      Arrays.fill(content, (int) last, 10_001, (byte) 3);
      assertThat(file.length()).isEqualTo(10_001);
    }
    assertThat(Files.readAllBytes(path)).isEqualTo(content);
  }

  @Test
  void memoryAtAnyAddressIsTaken() throws IOException {
    ByteBuffer source = HostImages.pattern(3 << 20, true);
    try (HostFile file = HostImages.open(path.toString(), true, DIRECT)) {
      for (int shift : new int[] {1, 3, 512, 4096 + 7}) {
        ByteBuffer write = ByteBuffer.allocateDirect((3 << 20) + shift).position(shift);
        file.write(
            0, write.duplicate().put(source.duplicate()).flip().position(shift), WriteFlags.NONE);
        ByteBuffer read = ByteBuffer.allocateDirect((3 << 20) + shift).position(shift);
        file.read(0, read);

        assertThat(read.position(shift)).as("shift %d", shift).isEqualTo(source);
      }
    }
  }

  @Test
  void failureLeavesTheLimit() throws IOException {
    ByteBuffer bytes = BouncePool.allocate(10_001);
    try (PosixFile file = PosixFile.open(HostPath.of(path.toString()), LibC.O_RDONLY)) {
      DirectAlignment alignment = DirectAlignment.of(file, file.status());
      try (DirectTransfer transfer = new DirectTransfer(file, false, alignment)) {
        assertThatThrownBy(() -> transfer.write(0, bytes)).hasMessageContaining("cannot write");
      }
    }
    assertThat(bytes.limit()).isEqualTo(10_001);
  }

  @Test
  void randomRequestsAgreeWithAPlainArray() throws IOException {
    for (long seed = 1; seed <= 3; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      byte[] model = new byte[200_000];
      int length = 0;
      Files.write(path, new byte[0]);
      try (HostFile file = HostImages.open(path.toString(), true, DIRECT)) {
        for (int step = 0; step < 300; step++) {
          int offset = random.nextInt(190_000);
          byte[] bytes = new byte[random.nextInt(1, 10_000)];
          random.nextBytes(bytes);
          file.write(offset, ByteBuffer.wrap(bytes), WriteFlags.NONE);
          System.arraycopy(bytes, 0, model, offset, bytes.length);
          length = Math.max(length, offset + bytes.length);
          ByteBuffer read = HostImages.buffer(random.nextInt(1, 50_000), random.nextBoolean());
          int from = random.nextInt(150_000);
          file.read(from, read);

          assertThat(HostImages.bytes(read.flip()))
              .as("seed %d step %d", seed, step)
              .isEqualTo(Arrays.copyOfRange(model, from, from + read.limit()));
          assertThat(file.length()).isEqualTo(length);
        }
      }
      assertThat(Files.readAllBytes(path)).isEqualTo(Arrays.copyOf(model, length));
    }
  }

  @Test
  void alignmentFoundByTrialIsWhatTheKernelSays() throws IOException {
    Files.write(path, new byte[100_000]);
    HostPath name = HostPath.of(path.toString());

    try (PosixFile file = PosixFile.open(name, LibC.O_RDONLY | LibC.directFlag())) {
      DirectAlignment said = DirectAlignment.of(file, file.status());
      DirectAlignment tried = DirectAlignment.byTrial(file);

      assertThat(tried.request()).isEqualTo(said.request());
      assertThat(tried.memory()).isGreaterThanOrEqualTo(said.memory());
      assertThat(said.limits().maxTransfer()).isEqualTo(BlockLimits.DEFAULT_MAX_TRANSFER);
    }
  }
}
