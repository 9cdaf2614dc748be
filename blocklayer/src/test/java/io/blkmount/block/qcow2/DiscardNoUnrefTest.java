// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.CrashJudge;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** With {@code discard-no-unref}, a discarded cluster keeps its place, though not its space. */
final class DiscardNoUnrefTest {
  private static final int CLUSTER = 4096;
  private static final int LENGTH = 1 << 20;

  private static final TestImage.Options OPTIONS =
      new TestImage.Options(DiscardMode.UNMAP, false, Map.of("discard-no-unref", "on"));

  private interface Drop {
    void run(TestImage image, long offset, long length) throws IOException;
  }

  private static Drop drop(boolean zeroes) {
    return zeroes
        ? (image, offset, length) -> image.io().writeZeroes(offset, length, WriteFlags.MAY_UNMAP)
        : (image, offset, length) -> image.io().discard(offset, length);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void clustersKeepTheirPlacesAndGiveTheirSpaceBack(boolean zeroes) throws IOException {
    MemoryInstance memory = MemoryInstance.file(ImageShape.of(CLUSTER, LENGTH).create(), 1);
    RecordingInstance host = new RecordingInstance(memory);
    ByteBuffer bytes = ByteBuffer.wrap(DiskModel.pattern(LENGTH, 1));
    try (TestImage image = TestImage.open(host, null, OPTIONS)) {
      image.io().write(0, bytes.duplicate(), WriteFlags.NONE);
      image.io().flush();
      final long length = host.length();
      final long place = image.io().extentAt(40 * CLUSTER, CLUSTER).hostOffset();
      host.clear();

      drop(zeroes).run(image, 10 * CLUSTER, 100 * CLUSTER);
      image.io().flush();

      assertThat(host.calls())
          .anyMatch(call -> call.kind() == Kind.DISCARD && call.length() == 100 * CLUSTER);
      ByteBuffer read = Images.read(image.io(), 10 * CLUSTER, 100 * CLUSTER);
      assertThat(Zeroes.isZero(read)).isTrue();
      image.io().write(40 * CLUSTER, bytes.slice(0, CLUSTER), WriteFlags.NONE);
      assertThat(image.io().extentAt(40 * CLUSTER, CLUSTER).hostOffset()).isEqualTo(place);
      image.io().write(0, bytes.duplicate(), WriteFlags.NONE);
      assertThat(host.length()).isEqualTo(length);
      assertThat(Images.read(image.io(), 0, LENGTH)).isEqualTo(bytes);
    }

    CheckRun check = CheckRun.of(memory.content());
    assertThat(check.texts()).isEmpty();
    assertThat(check.result().fragmentedClusters()).isZero();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatASnapshotSharesIsLetGoOf(boolean zeroes) throws IOException {
    MemoryInstance empty = MemoryInstance.file(ImageShape.of(CLUSTER, LENGTH).create(), 1);
    byte[] pattern = DiskModel.pattern(LENGTH, 1);
    try (TestImage image = TestImage.open(empty, null)) {
      image.io().write(0, ByteBuffer.wrap(pattern), WriteFlags.NONE);
    }
    MemoryInstance host = MemoryInstance.file(SnapshotImages.take(empty.content(), null, "one"), 1);

    try (TestImage image = TestImage.open(host, null, OPTIONS)) {
      drop(zeroes).run(image, 0, LENGTH);
      assertThat(Zeroes.isZero(Images.read(image.io(), 0, LENGTH))).isTrue();
    }

    assertThat(SnapshotImages.read(host.content(), "one")).isEqualTo(pattern);
    assertThat(CheckRun.of(host.content()).texts()).isEmpty();
  }

  /** In an encrypted cluster a hole is garbage as long as an entry leads there. */
  @ParameterizedTest
  @ValueSource(strings = {"", "luks"})
  void noPowerCutShowsWhatNobodyWrote(String encryption) throws IOException {
    ImageShape shape = ImageShape.of(CLUSTER, 2 * LENGTH).withEncryption(encryption);
    CrashRun run = new CrashRun(shape, 3).withOptions(OPTIONS);

    CrashJudge judge = run.run(400).judge(100);

    assertThat(judge.wrong()).as(run + ": " + judge).isZero();
  }

  /** Nothing lies behind the end of a data file, which need not be that of a cluster. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void lastClusterOfADataDeviceMayBeCutOff(boolean zeroes) throws IOException {
    int length = 10 * CLUSTER + 512;
    MemoryInstance file = MemoryInstance.ofLength(0);
    MemoryInstance data = MemoryInstance.device(length, 1);
    ImageFiles.create(file, data, length, "cluster_size=" + CLUSTER);
    try (TestImage image = TestImage.open(ImageFiles.over(file, data), true, null, OPTIONS)) {
      image.io().write(0, Images.bytes(length, 1), WriteFlags.NONE);

      drop(zeroes).run(image, 0, length);

      assertThat(Zeroes.isZero(Images.read(image.io(), 0, length))).isTrue();
      assertThat(data.bytes(0, length)).containsOnly(0);
    }
  }
}
