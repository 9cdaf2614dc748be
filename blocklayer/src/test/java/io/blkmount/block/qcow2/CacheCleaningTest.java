// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CacheCleaningTest {
  private static final int CLUSTER = 4096;
  private static final int LENGTH = 64 << 20;

  /** What one L2 table, here one slice, maps. */
  private static final int SPAN = CLUSTER / 8 * CLUSTER;

  private final List<Runnable> alarms = new ArrayList<>();
  private final List<Long> intervals = new ArrayList<>();
  private final RecordingInstance host =
      new RecordingInstance(MemoryInstance.file(ImageShape.of(CLUSTER, LENGTH).create(), 1));

  @Test
  void memoryIsGivenBackWhenNothingWasUsedForAnInterval() throws IOException {
    try (Qcow2Image image = open(Map.of())) {
      fill(image);
      assertThat(heldBytes(image)).isPositive();

      passInterval();
      assertThat(heldBytes(image)).as("used in this interval").isPositive();
      passInterval();

      assertThat(heldBytes(image)).isZero();
      assertThat(Images.read(image, 5 * SPAN, 512)).isEqualTo(Images.bytes(512, 5));
    }
  }

  @Test
  void whatWasUsedInTheLastIntervalStays() throws IOException {
    try (Qcow2Image image = open(Map.of())) {
      fill(image);
      passInterval();
      Images.read(image, 5 * SPAN, 512);
      passInterval();
      host.clear();

      Images.read(image, 5 * SPAN, 512);
      assertThat(host.calls()).as("the data only").hasSize(1);
      Images.read(image, 6 * SPAN, 512);
      assertThat(host.calls()).as("a slice as well").hasSize(3);
    }
  }

  @Test
  void whatIsNotWrittenYetStays() throws IOException {
    try (Qcow2Image image = open(Map.of())) {
      image.write(0, Images.bytes(512, 9), WriteFlags.NONE);

      passInterval();
      passInterval();
      passInterval();

      assertThat(image.metadata().l2Cache().dirtyCount()).isOne();
      assertThat(Images.read(image, 0, 512)).isEqualTo(Images.bytes(512, 9));
      image.flush();
      passInterval();
      passInterval();
      assertThat(heldBytes(image)).isZero();
    }
  }

  @Test
  void theIntervalIsTenMinutesUnlessAnotherIsWanted() throws IOException {
    open(Map.of()).close();
    open(Map.of("cache-clean-interval", "5")).close();
    open(Map.of("cache-clean-interval", "0")).close();

    assertThat(intervals).containsExactly(600L, 5L);
    assertThat(alarms).as("left after closing").isEmpty();
  }

  private Qcow2Image open(Map<String, String> options) throws IOException {
    Qcow2Driver driver = new Qcow2Driver(this::set);
    DriverOptions driverOptions = new DriverOptions("test.qcow2", true, options);
    return (Qcow2Image) driver.open(driverOptions, new MemoryChild(host).opener());
  }

  private Alarm.Setting set(long intervalSeconds, Runnable action) {
    alarms.add(action);
    intervals.add(intervalSeconds);
    return interrupt -> alarms.remove(action);
  }

  private void passInterval() {
    alarms.forEach(Runnable::run);
  }

  /** Writes something into each L2 table's span and makes the tables clean. */
  private static void fill(Qcow2Image image) throws IOException {
    for (int offset = 0; offset < LENGTH; offset += SPAN) {
      image.write(offset, Images.bytes(512, offset / SPAN), WriteFlags.NONE);
    }
    image.flush();
  }

  private static long heldBytes(Qcow2Image image) {
    Metadata metadata = image.metadata();
    return metadata.l2Cache().heldBytes() + metadata.refcountCache().heldBytes();
  }
}
