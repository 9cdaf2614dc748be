// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.qcow2.OverlapGuard.Area;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** QEMU's options for what is guarded, for caches and for refcounts. */
final class OverlapOptionsTest {
  private static final int CLUSTER = 4096;

  private static Map<String, String> values(String text) {
    Map<String, String> values = new HashMap<>();
    for (String option : text.isEmpty() ? new String[0] : text.split(",")) {
      int equals = option.indexOf('=');
      values.put(option.substring(0, equals), option.substring(equals + 1));
    }
    return values;
  }

  private static Set<Area> guarded(String text) throws BlockException {
    DriverOptions options = new DriverOptions("x", true, values(text));
    Set<Area> guarded = OverlapOptions.take(options);
    options.requireAllTaken("qcow2");
    return guarded;
  }

  @Test
  void eachLevelLooksAtMore() throws BlockException {
    assertThat(guarded("overlap-check=none")).isEmpty();
    assertThat(guarded("overlap-check=constant"))
        .contains(Area.HEADER, Area.L1_TABLE, Area.REFCOUNT_TABLE, Area.BITMAP_DIRECTORY)
        .doesNotContain(Area.L2_TABLE, Area.REFCOUNT_BLOCK, Area.SNAPSHOT_L1_TABLE);
    assertThat(guarded("overlap-check=cached"))
        .isEqualTo(guarded(""))
        .contains(Area.L2_TABLE, Area.REFCOUNT_BLOCK, Area.SNAPSHOT_L1_TABLE)
        .doesNotContain(Area.SNAPSHOT_L2_TABLE);
    assertThat(guarded("overlap-check=all")).contains(Area.SNAPSHOT_L2_TABLE);
  }

  @Test
  void singleAreasGoBeforeTheLevel() throws BlockException {
    assertThat(guarded("overlap-check.template=none,overlap-check.active-l2=on"))
        .containsExactly(Area.L2_TABLE);
    assertThat(guarded("overlap-check=all,overlap-check.inactive-l2=off"))
        .isEqualTo(guarded("overlap-check=cached"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          overlap-check=some | option overlap-check=some: none of none, constant, cached, all
          overlap-check=all,overlap-check.template=none | option overlap-check=all beside overlap-check.template=none
          overlap-check.active-l1=maybe | option overlap-check.active-l1=maybe: neither on nor off
          cache-size=1M,l2-cache-size=1M,refcount-cache-size=1M | option cache-size, l2-cache-size and refcount-cache-size: one of them has to go
          cache-size=1M,l2-cache-size=2M | option l2-cache-size=2097152: more than cache-size=1048576
          cache-size=1M,refcount-cache-size=2M | option refcount-cache-size=2097152: more than cache-size=1048576
          l2-cache-entry-size=8192 | option l2-cache-entry-size=8192: not a power of two from 512 to the cluster size, 4096
          l2-cache-entry-size=600 | option l2-cache-entry-size=600: not a power of two from 512 to the cluster size, 4096
          cache-clean-interval=4G | option cache-clean-interval=4294967296: more than 4294967295 seconds
          discard-no-unref=perhaps | option discard-no-unref=perhaps: neither on nor off
          """)
  void whatQemuRefusesIsRefused(String options, String message) {
    assertThatThrownBy(() -> open(ImageShape.of(CLUSTER, 1 << 20), options)).hasMessage(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"lazy-refcounts", "discard-no-unref"})
  void version2CanNeither(String option) {
    ImageShape shape = ImageShape.of(CLUSTER, 1 << 20).withVersion2();
    assertThatThrownBy(() -> open(shape, option + "=on"))
        .hasMessage(
            "option " + option + "=on: the image has version 2 of the format, version 3 is needed");
  }

  private static TestImage open(ImageShape shape, String options) throws IOException {
    return open(MemoryInstance.file(shape.create(), 1), options);
  }

  private static TestImage open(MemoryInstance host, String options) throws IOException {
    return TestImage.open(
        host,
        null,
        new TestImage.Options(TestImage.Options.DEFAULT.discard(), false, values(options)));
  }

  @Test
  void cachesShareATotal() throws BlockException {
    ClusterGeometry geometry = new ClusterGeometry(16);
    CacheSizes sizes =
        CacheSizes.take(
            new DriverOptions("x", true, values("cache-size=2M,refcount-cache-size=1M")));

    assertThat(sizes.l2Bytes(8 << 20, geometry)).isEqualTo(1 << 20);
    assertThat(sizes.refcountBytes(8 << 20, geometry)).isEqualTo(1 << 20);
    assertThat(new CacheSizes(2 << 20, 0, 0, 0).l2Bytes(1 << 20, geometry)).isEqualTo(1 << 20);
    assertThat(new CacheSizes(2 << 20, 0, 0, 0).refcountBytes(1 << 20, geometry))
        .isEqualTo(1 << 20);
  }

  /** An image one of whose data clusters is, by a damaged entry, a table of the snapshot. */
  private static PagedBytes sharedWithSnapshot() throws IOException {
    MemoryInstance host = MemoryInstance.file(ImageShape.of(CLUSTER, 1 << 22).create(), 1);
    try (TestImage image = TestImage.open(host, null)) {
      image.io().write(0, ByteBuffer.allocate(2 * CLUSTER), WriteFlags.NONE);
    }
    MemoryInstance taken = MemoryInstance.file(SnapshotImages.take(host.content(), null, "one"), 1);
    long l1 = taken.content().getLong(Qcow2Header.L1_TABLE_OFFSET_AT);
    long snapshots = L1Entry.l2Offset(taken.content().getLong(l1));
    try (TestImage image = TestImage.open(taken, null)) {
      image.io().write(0, ByteBuffer.allocate(2 * CLUSTER), WriteFlags.NONE);
    }
    PagedBytes bytes = taken.content();
    long own = L1Entry.l2Offset(bytes.getLong(l1));
    assertThat(own).isNotEqualTo(snapshots);
    bytes.write(own, ByteBuffer.allocate(8).putLong(0, L2Entry.normal(snapshots)));
    return bytes;
  }

  @Test
  void tablesOfSnapshotsAreGuardedIfThatIsWanted() throws IOException {
    try (TestImage image =
        open(MemoryInstance.file(sharedWithSnapshot(), 1), "overlap-check=all")) {
      assertThatThrownBy(() -> image.io().write(0, ByteBuffer.allocate(CLUSTER), WriteFlags.NONE))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("would overwrite an L2 table of a snapshot");
    }
    try (TestImage image =
        open(MemoryInstance.file(sharedWithSnapshot(), 1), "overlap-check=cached")) {
      image.io().write(0, ByteBuffer.allocate(CLUSTER), WriteFlags.NONE);
    }
  }

  @Test
  void snapshotsTablesInUseBySnapshotsAloneAreNotInTheWay() throws IOException {
    MemoryInstance host = MemoryInstance.file(ImageShape.of(CLUSTER, 1 << 22).create(), 1);
    try (TestImage image = TestImage.open(host, null)) {
      image.io().write(0, ByteBuffer.allocate(1 << 22), WriteFlags.NONE);
    }
    MemoryInstance taken = MemoryInstance.file(SnapshotImages.take(host.content(), null, "one"), 1);

    try (TestImage image = open(taken, "overlap-check=all")) {
      image.io().write(0, ByteBuffer.allocate(1 << 22), WriteFlags.NONE);
      image.io().discard(CLUSTER, 1 << 20);
    }

    assertThat(CheckRun.of(taken.content()).texts()).isEmpty();
  }

  @Test
  void tablesThatSnapshotsLetGoOfAreNotInTheWay() throws IOException {
    MemoryInstance host = MemoryInstance.file(ImageShape.of(CLUSTER, 1 << 22).create(), 1);
    try (TestImage image = open(host, "overlap-check=all")) {
      Snapshottable snapshots = (Snapshottable) image.driver();
      for (int i = 0; i < 4; i++) {
        image.io().write(0, ByteBuffer.allocate(1 << 21), WriteFlags.NONE);
        snapshots.createSnapshot(NewSnapshot.ofDisk("s" + i, Instant.EPOCH));
        image.io().write(i << 19, ByteBuffer.allocate(1 << 20), WriteFlags.NONE);
        if (i % 2 == 1) {
          snapshots.deleteSnapshot("s" + (i - 1));
          snapshots.applySnapshot("s" + i);
        }
        image.io().discard(0, 1 << 20);
        image.io().flush();
      }
    }

    assertThat(CheckRun.of(host.content()).texts()).isEmpty();
  }
}
