// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whatever request meets damage first: the image is marked, nothing is written after that. */
final class CorruptionTest {
  private static final int CLUSTER = 4096;

  /** A request for the first two clusters, whose L2 table is not on a cluster boundary. */
  private enum Request {
    READ(disk -> Images.read(disk, 0, CLUSTER)),
    READ_LAYER(disk -> disk.readLayer(0, ByteBuffer.allocate(CLUSTER))),
    ABSENT(disk -> disk.absentLength(0, CLUSTER)),
    EXTENT(disk -> disk.extentAt(0, CLUSTER)),
    WRITE(disk -> disk.write(0, ByteBuffer.allocate(CLUSTER), WriteFlags.NONE)),
    ZERO(disk -> disk.writeZeroes(0, CLUSTER, WriteFlags.NONE)),
    ZERO_UNMAP(disk -> disk.writeZeroes(0, CLUSTER, WriteFlags.MAY_UNMAP)),
    DISCARD(disk -> disk.discard(0, CLUSTER)),
    RESERVE(disk -> disk.reserve(0, CLUSTER)),
    SHRINK(disk -> disk.truncate(0, Preallocation.OFF));

    private interface Action {
      void run(DriverInstance disk) throws IOException;
    }

    private final Action action;

    Request(Action action) {
      this.action = action;
    }
  }

  private static PagedBytes damaged(ImageShape shape) throws IOException {
    MemoryInstance host = MemoryInstance.file(shape.create(), 1);
    try (TestImage image = TestImage.open(host, null)) {
      image.io().write(0, ByteBuffer.allocate(2 * CLUSTER), WriteFlags.NONE);
    }
    PagedBytes bytes = host.content();
    long l1 = bytes.getLong(Qcow2Header.L1_TABLE_OFFSET_AT);
    bytes.write(l1, ByteBuffer.allocate(8).putLong(0, bytes.getLong(l1) + 512));
    return bytes;
  }

  private static DriverInstance open(DriverInstance host, boolean writable) throws IOException {
    DriverOptions options = new DriverOptions("test.qcow2", writable, Map.of());
    return new Qcow2Driver().open(options, new MemoryChild(host).opener());
  }

  private static long features(MemoryInstance host) {
    return host.content().getLong(Qcow2Header.INCOMPATIBLE_FEATURES_AT);
  }

  @ParameterizedTest
  @EnumSource
  void theFirstSignMarksTheImageAndEndsWrites(Request request) throws IOException {
    MemoryInstance memory = MemoryInstance.file(damaged(ImageShape.of(CLUSTER, 1 << 20)), 1);
    RecordingInstance host = new RecordingInstance(memory);
    try (DriverInstance disk = open(host, true)) {
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> request.action.run(disk)).isInstanceOf(IOException.class);
        assertThat(features(memory)).isEqualTo(FeatureBits.CORRUPT);
        assertThat(disk.support().writable()).isFalse();
      }
      assertThatThrownBy(
              () -> disk.write(CLUSTER << 9, ByteBuffer.allocate(CLUSTER), WriteFlags.NONE))
          .hasMessage("test.qcow2: damaged, so that nothing is written to it any more");
    }

    assertThat(host.calls().stream().filter(call -> call.kind() == Kind.WRITE))
        .as("the mark, once")
        .singleElement()
        .matches(call -> call.offset() == Qcow2Header.INCOMPATIBLE_FEATURES_AT);
    assertThatThrownBy(() -> open(host, true)).hasMessageContaining("marked corrupt");
    open(host, false).close();
  }

  @ParameterizedTest
  @EnumSource(names = {"READ", "READ_LAYER", "ABSENT", "EXTENT"})
  void anImageThatIsOpenedForReadingIsNotTouched(Request request) throws IOException {
    PagedBytes image = damaged(ImageShape.of(CLUSTER, 1 << 20));
    RecordingInstance host = new RecordingInstance(MemoryInstance.file(image, 1));
    try (DriverInstance disk = open(host, false)) {
      assertThatThrownBy(() -> request.action.run(disk)).isInstanceOf(CorruptImageException.class);
    }

    assertThat(host.calls()).noneMatch(call -> call.kind() == Kind.WRITE);
  }

  @Test
  void version2HasNoMarkButIsNotWrittenAnyMore() throws IOException {
    PagedBytes image = damaged(ImageShape.of(CLUSTER, 1 << 20).withVersion2());
    MemoryInstance host = MemoryInstance.file(image.copy(), 1);
    try (DriverInstance disk = open(host, true)) {
      assertThatThrownBy(() -> Request.READ.action.run(disk))
          .isInstanceOf(CorruptImageException.class);
      assertThat(disk.support().writable()).isFalse();
    }

    assertThat(host.content().bytes(0, CLUSTER)).isEqualTo(image.bytes(0, CLUSTER));
  }
}
