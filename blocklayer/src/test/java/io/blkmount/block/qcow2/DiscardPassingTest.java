// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.ForwardingInstance.Call;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * With {@code pass-discard-request} and its kin, the space of free clusters goes back or stays; the
 * clusters are free all the same.
 */
final class DiscardPassingTest {
  private static final int CLUSTER = 4096;
  private static final int LENGTH = 1 << 20;
  private static final int USED = LENGTH / 4;

  /** Frees clusters of an image whose first quarter is written, and written again after "s". */
  private enum Freeing {
    DISCARD(image -> image.io().discard(0, USED)),
    ZERO(image -> image.io().writeZeroes(0, USED, WriteFlags.MAY_UNMAP)),
    SHRINK(image -> image.pipeline().truncate(CLUSTER, Preallocation.OFF)),
    DELETE_SNAPSHOT(image -> ((Snapshottable) image.driver()).deleteSnapshot("s")),
    APPLY_SNAPSHOT(image -> ((Snapshottable) image.driver()).applySnapshot("s")),
    MOVE_L1(image -> image.pipeline().truncate(8 * LENGTH, Preallocation.OFF)),
    REWRITE_COMPRESSED(image -> image.io().write(2 * USED, Images.bytes(USED, 3), WriteFlags.NONE));

    private final Action action;

    Freeing(Action action) {
      this.action = action;
    }
  }

  private interface Action {
    void run(TestImage image) throws IOException;
  }

  private final MemoryInstance memory =
      MemoryInstance.file(ImageShape.of(CLUSTER, LENGTH).create(), 1);
  private final RecordingInstance host = new RecordingInstance(memory);

  private static Map<String, String> values(String text) {
    Map<String, String> values = new HashMap<>();
    for (String option : text == null ? new String[0] : text.split(",")) {
      values.put("pass-discard-" + option.split("=")[0], option.split("=")[1]);
    }
    return values;
  }

  private void prepare() throws IOException {
    try (TestImage image = TestImage.open(host, null)) {
      image.io().write(0, Images.bytes(USED, 1), WriteFlags.NONE);
      image.io().write(2 * USED, Images.compressible(USED, 1), WriteFlags.COMPRESSED);
      NewSnapshot snapshot = NewSnapshot.ofDisk("s", Instant.EPOCH);
      ((Snapshottable) image.driver()).createSnapshot(snapshot);
      image.io().write(0, Images.bytes(USED, 2), WriteFlags.NONE);
      image.io().write(2 * USED, Images.compressible(USED, 2), WriteFlags.COMPRESSED);
    }
    host.clear();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          DISCARD            |                                     | true
          DISCARD            | snapshot=off                        | true
          DISCARD            | request=off,other=on                | false
          ZERO               |                                     | true
          ZERO               | request=off                         | false
          SHRINK             | request=off,snapshot=off            | true
          DELETE_SNAPSHOT    |                                     | true
          DELETE_SNAPSHOT    | request=off                         | true
          DELETE_SNAPSHOT    | snapshot=off,other=on               | false
          APPLY_SNAPSHOT     |                                     | true
          APPLY_SNAPSHOT     | snapshot=off,other=on               | false
          MOVE_L1            |                                     | false
          MOVE_L1            | other=on                            | true
          REWRITE_COMPRESSED |                                     | false
          REWRITE_COMPRESSED | other=on,request=off,snapshot=off   | true
          """)
  void whatFreesAClusterDecidesAboutItsSpace(Freeing freeing, String options, boolean passed)
      throws IOException {
    prepare();
    TestImage.Options opened = new TestImage.Options(DiscardMode.UNMAP, false, values(options));
    try (TestImage image = TestImage.open(host, null, opened)) {
      freeing.action.run(image);
      image.io().flush();
    }

    assertThat(host.calls(Kind.DISCARD).isEmpty()).isEqualTo(!passed);
    CheckRun check = CheckRun.of(memory.content());
    assertThat(check.texts()).isEmpty();
  }

  @Test
  void clustersThatKeptTheirSpaceAreFree() throws IOException {
    TestImage.Options opened =
        new TestImage.Options(DiscardMode.UNMAP, false, values("request=off"));
    try (TestImage image = TestImage.open(host, null, opened)) {
      image.io().write(0, Images.bytes(LENGTH, 1), WriteFlags.NONE);
      image.io().flush();
      final long length = host.length();

      image.io().discard(0, LENGTH);
      image.io().flush();
      assertThat(Zeroes.isZero(Images.read(image.io(), 0, LENGTH))).isTrue();
      image.io().write(0, Images.bytes(512, 2), WriteFlags.NONE);
      assertThat(Zeroes.isZero(Images.read(image.io(), 512, LENGTH - 512)))
          .as("no old bytes beside what was written")
          .isTrue();
      image.io().write(CLUSTER, Images.bytes(LENGTH - CLUSTER, 2), WriteFlags.NONE);

      assertThat(host.length()).isEqualTo(length);
    }
    assertThat(host.calls(Kind.DISCARD)).isEmpty();
    assertThat(CheckRun.of(memory.content()).texts()).isEmpty();
  }

  @Test
  void whereDiscardsAreIgnoredZerosPassNoneOn() throws IOException {
    prepare();
    zeroCompressed(new TestImage.Options(DiscardMode.IGNORE, false, Map.of()));
    assertThat(host.calls(Kind.DISCARD)).isEmpty();

    prepare();
    zeroCompressed(new TestImage.Options(DiscardMode.IGNORE, false, values("request=on")));
    assertThat(host.calls(Kind.DISCARD)).isNotEmpty();
  }

  private void zeroCompressed(TestImage.Options options) throws IOException {
    try (TestImage image = TestImage.open(host, null, options)) {
      ((Snapshottable) image.driver()).deleteSnapshot("s");
      host.clear();
      image.io().writeZeroes(2 * USED, USED, WriteFlags.NONE);
    }
  }

  @Test
  void whatKeepsItsPlaceKeepsItsSpaceToo() throws IOException {
    Map<String, String> values = values("request=off");
    values.put("discard-no-unref", "on");
    try (TestImage image =
        TestImage.open(host, null, new TestImage.Options(DiscardMode.UNMAP, false, values))) {
      image.io().write(0, Images.bytes(USED, 1), WriteFlags.NONE);
      image.io().flush();
      image.io().discard(0, USED);
      image.io().writeZeroes(0, USED, WriteFlags.MAY_UNMAP);

      assertThat(Zeroes.isZero(Images.read(image.io(), 0, USED))).isTrue();
    }
    assertThat(host.calls(Kind.DISCARD)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aDataFileGetsDiscardsThatArePassedOn(boolean passed) throws IOException {
    RecordingInstance data = new RecordingInstance(MemoryInstance.ofLength(0));
    try (DriverInstance disk = openWithData("cluster_size=4k", data, passed)) {
      disk.write(0, Images.bytes(USED, 1), WriteFlags.NONE);
      data.clear();
      disk.discard(0, USED);

      assertThat(data.calls())
          .isEqualTo(passed ? List.of(Call.of(Kind.DISCARD, 0, USED)) : List.of());
      assertThat(Zeroes.isZero(Images.read(disk, 0, USED))).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aRawDataFileIsWhatTheGuestReads(boolean passed) throws IOException {
    MemoryInstance stored = MemoryInstance.ofLength(0);
    RecordingInstance data = new RecordingInstance(stored);
    try (DriverInstance disk = openWithData("cluster_size=4k,data_file_raw=on", data, passed)) {
      disk.write(0, Images.bytes(USED, 1), WriteFlags.NONE);
      data.clear();
      disk.discard(0, USED / 2);
      disk.writeZeroes(USED / 2, CLUSTER, WriteFlags.MAY_UNMAP);

      assertThat(data.calls(Kind.ZERO).get(0).flags().has(WriteFlags.MAY_UNMAP)).isEqualTo(passed);
      assertThat(Zeroes.isZero(Images.read(disk, 0, USED / 2))).isEqualTo(passed);
      assertThat(Zeroes.isZero(Images.read(disk, USED / 2, CLUSTER))).isTrue();
      assertThat(Images.read(disk, 0, USED))
          .isEqualTo(ByteBuffer.wrap(stored.content().bytes(0, USED)));
    }
  }

  private static DriverInstance openWithData(String options, RecordingInstance data, boolean passed)
      throws IOException {
    MemoryInstance file = MemoryInstance.ofLength(0);
    MemoryInstance empty = MemoryInstance.ofLength(0);
    ImageFiles.create(file, empty, LENGTH, options);
    data.truncate(LENGTH, Preallocation.OFF);
    Map<String, String> values = values("request=" + (passed ? "on" : "off"));
    DriverOptions driverOptions = new DriverOptions("test.qcow2", true, values);
    return new Qcow2Driver().open(driverOptions, ImageFiles.over(file, data));
  }
}
