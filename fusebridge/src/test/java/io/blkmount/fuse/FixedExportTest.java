// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A disk as a file of a fixed size. */
final class FixedExportTest {
  private static final int LENGTH = 1 << 20;

  @TempDir Path folder;
  private Path image;
  private BlockBackend disk;
  private Export export;

  @BeforeEach
  void openDisk() throws IOException {
    image = RawDisks.create(folder.resolve("disk.img"), LENGTH, 1);
    disk = RawDisks.open(image);
    export = Export.of(disk);
  }

  @AfterEach
  void closeDisk() throws IOException {
    disk.close();
  }

  private ByteBuffer read(long offset, int length) throws IOException {
    ByteBuffer target = ByteBuffer.allocateDirect(length);
    int count = export.read(offset, target);
    assertThat(count).isEqualTo(target.position());
    return target.flip();
  }

  @ParameterizedTest
  @CsvSource({"0, 4096, 4096", "1048575, 4096, 1", "1048576, 1, 0", "9000000, 10, 0", "5, 0, 0"})
  void readStopsAtTheEnd(long offset, int length, int count) throws IOException {
    ByteBuffer target = read(offset, length);

    assertThat(target.remaining()).isEqualTo(count);
    assertThat(target)
        .isEqualTo(Images.bytes(LENGTH, 1).slice((int) Math.min(offset, LENGTH), count));
  }

  @Test
  void writeAcrossTheEndIsShort() throws IOException {
    int count = export.write(LENGTH - 10, Images.bytes(100, 2));

    assertThat(count).isEqualTo(10);
    assertThat(read(LENGTH - 10, 100)).isEqualTo(Images.bytes(100, 2).slice(0, 10));
    assertThat(disk.length()).isEqualTo(LENGTH);
  }

  @ParameterizedTest
  @ValueSource(longs = {LENGTH, LENGTH + 1, Long.MAX_VALUE - 100})
  void writeFromTheEndOnIsTooBig(long offset) {
    assertThatThrownBy(() -> export.write(offset, Images.bytes(10, 2)))
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.TOO_BIG))
        .hasMessage(
            "write beyond end of \"%s\": offset=%d count=10 length=%d", image, offset, LENGTH);
  }

  @Test
  void truncateAtOpenLeavesEverythingAsItIs() throws IOException {
    export.open(OpenFlags.WRITE_ONLY | OpenFlags.TRUNCATE);

    assertThat(read(0, LENGTH)).isEqualTo(Images.bytes(LENGTH, 1));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, LENGTH - 1, LENGTH + 1})
  void anotherLengthIsRefusedWithTheOptionThatAllowsIt(long length) throws IOException {
    assertThatThrownBy(() -> export.setLength(length))
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.NOT_PERMITTED))
        .hasMessage(
            "cannot change the length of \"%s\" from %d to %d bytes: mounted without --resizable",
            image, LENGTH, length);
    assertThat(disk.length()).isEqualTo(LENGTH);
  }

  @Test
  void theSameLengthIsAccepted() {
    assertThatCode(() -> export.setLength(LENGTH)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(
      ints = {
        AllocationMode.PUNCH_HOLE | AllocationMode.KEEP_SIZE,
        AllocationMode.ZERO_RANGE | AllocationMode.KEEP_SIZE,
      })
  void zeroingStopsAtTheEnd(int mode) throws IOException {
    export.allocate(mode, LENGTH - 777, 5000);
    export.allocate(mode, LENGTH, 10);
    export.allocate(mode, 1, 100_000);

    assertThat(disk.length()).isEqualTo(LENGTH);
    ByteBuffer expected = Images.bytes(LENGTH, 1);
    expected.put(LENGTH - 777, new byte[777]).put(1, new byte[100_000]);
    assertThat(read(0, LENGTH)).isEqualTo(expected);
  }

  @Test
  void reservingChangesNoByte() throws IOException {
    export.allocate(0, 0, LENGTH);
    export.allocate(AllocationMode.KEEP_SIZE, 5, 10);

    assertThat(read(0, LENGTH)).isEqualTo(Images.bytes(LENGTH, 1));
  }

  @ParameterizedTest
  @CsvSource({
    "0, TOO_BIG",
    "1, NO_SPACE", // KEEP_SIZE
    "16, TOO_BIG", // ZERO_RANGE
    "8, NOT_SUPPORTED", // COLLAPSE_RANGE
    "32, NOT_SUPPORTED", // INSERT_RANGE
    "64, NOT_SUPPORTED", // UNSHARE_RANGE
    "18, NOT_SUPPORTED", // PUNCH_HOLE and ZERO_RANGE at once
  })
  void allocationThatAFixedDiskCannotDoChangesNothing(int mode, BlockError error)
      throws IOException {
    assertThatThrownBy(() -> export.allocate(mode, LENGTH - 10, 20))
        .isInstanceOfSatisfying(BlockException.class, e -> assertThat(e.error()).isEqualTo(error));

    assertThat(read(0, LENGTH)).isEqualTo(Images.bytes(LENGTH, 1));
  }

  @ParameterizedTest
  @CsvSource({"-1, 10", "0, 0", "9223372036854775807, 2"})
  void allocationOfABadRangeIsInvalid(long offset, long length) {
    assertThatThrownBy(() -> export.allocate(0, offset, length))
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.INVALID));
  }

  @Test
  void readOnlyDiskRefusesEveryChange() throws IOException {
    disk.close();
    disk = RawDisks.openReadOnly(image);
    export = Export.of(disk);

    assertReadOnly(() -> export.open(OpenFlags.WRITE_ONLY));
    assertReadOnly(() -> export.open(OpenFlags.READ_WRITE));
    assertReadOnly(() -> export.open(OpenFlags.READ_ONLY | OpenFlags.TRUNCATE));
    assertReadOnly(() -> export.write(0, Images.bytes(1, 1)));
    assertReadOnly(() -> export.setLength(LENGTH));
    assertReadOnly(() -> export.allocate(0, 0, 1));
    assertThatCode(() -> export.open(OpenFlags.READ_ONLY)).doesNotThrowAnyException();
    assertThat(read(0, LENGTH)).isEqualTo(Images.bytes(LENGTH, 1));
  }

  private interface Change {
    void run() throws IOException;
  }

  private static void assertReadOnly(Change change) {
    assertThatThrownBy(change::run)
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.READ_ONLY));
  }
}
