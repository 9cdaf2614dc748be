// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Fails every host call while disks get their clusters, one after the other. */
final class PreallocationFailureTest {
  private static final int LENGTH = 256 << 10;
  private static final int BASE_LENGTH = LENGTH / 2;

  private static CreateOptions options(String text, boolean isOverlay) {
    Map<String, String> values = new HashMap<>();
    for (String option : text.split(" ")) {
      values.put(option.split("=")[0], option.split("=")[1]);
    }
    BackingReference backing = isOverlay ? new BackingReference("base.raw", "raw") : null;
    return new CreateOptions(LENGTH, backing, values).withKeys(TestKey.SOURCE);
  }

  private static @Nullable PagedBytes base(boolean isOverlay) {
    if (!isOverlay) {
      return null;
    }
    PagedBytes base = new PagedBytes(BASE_LENGTH);
    base.write(0, Images.bytes(BASE_LENGTH, 4));
    return base;
  }

  private static ByteBuffer expected(int length, boolean isOverlay) {
    ByteBuffer disk = ByteBuffer.allocate(length);
    return isOverlay ? disk.put(0, Images.bytes(BASE_LENGTH, 4), 0, BASE_LENGTH) : disk;
  }

  /** Afterwards there is no image, or one that shows what it should. */
  @ParameterizedTest
  @CsvSource({
    "encrypt.format=aes cluster_size=4096 preallocation=metadata, false",
    "encrypt.format=aes cluster_size=4096 preallocation=full, false",
    "encrypt.format=aes compat=0.10 cluster_size=4096 preallocation=metadata, false",
    "extended_l2=on cluster_size=16384 preallocation=metadata, true",
    "extended_l2=on cluster_size=16384 preallocation=full encrypt.format=aes, true",
  })
  void failedCreationLeavesNoImageOrASoundOne(String text, boolean isOverlay) throws IOException {
    boolean tripped = true;
    for (int n = 0; tripped; n++) {
      MemoryInstance host = MemoryInstance.ofLength(0);
      FaultInstance fault = new FaultInstance(host, n);
      boolean failed = false;
      try {
        Qcow2Creator.create(new MemoryChild(fault), options(text, isOverlay));
      } catch (IOException expected) {
        failed = true;
      }
      tripped = fault.tripped();
      assertThat(failed).as("host call %d", n).isEqualTo(tripped);
      PagedBytes content = host.content();
      if (content.length() > 0 && content.bytes(0, 1)[0] != 0) {
        requireSound(content, LENGTH, isOverlay, text + " host call " + n);
      } else {
        assertThat(tripped).as("host call %d", n).isTrue();
      }
    }
  }

  /** Afterwards the disk has its old length, and the same growth succeeds. */
  @ParameterizedTest
  @CsvSource({
    "encrypt.format=aes cluster_size=4096, METADATA, false",
    "encrypt.format=aes cluster_size=4096, FULL, false",
    "encrypt.format=aes compat=0.10 cluster_size=4096, METADATA, false",
    "encrypt.format=aes extended_l2=on cluster_size=16384, FALLOC, false",
    "encrypt.format=aes extended_l2=on cluster_size=16384, FULL, true",
    "encrypt.format=aes cluster_size=4096, METADATA, true",
  })
  void failedGrowthKeepsTheLength(String text, Preallocation mode, boolean isOverlay)
      throws IOException {
    MemoryInstance created = MemoryInstance.ofLength(0);
    Qcow2Creator.create(new MemoryChild(created), options(text, isOverlay));
    boolean tripped = true;
    for (int n = 0; tripped; n++) {
      MemoryInstance host = MemoryInstance.file(created.content().copy(), 1);
      FaultInstance fault = new FaultInstance(host, Integer.MAX_VALUE);
      try (TestImage image = TestImage.open(fault, base(isOverlay))) {
        fault.failOnce(n);
        tripped = fails(image, mode);
        fault.heal();
        assertThat(image.io().length()).isEqualTo(tripped ? LENGTH : 2L * LENGTH);
        image.pipeline().truncate(2L * LENGTH, mode);
      }
      requireSound(host.content(), 2 * LENGTH, isOverlay, text + " host call " + n);
    }
  }

  private static boolean fails(TestImage image, Preallocation mode) {
    try {
      image.pipeline().truncate(2L * LENGTH, mode);
      return false;
    } catch (IOException expected) {
      return true; // the point of the test
    }
  }

  private static void requireSound(
      PagedBytes content, int length, boolean isOverlay, String context) throws IOException {
    assertThat(Qcow2Checker.check(content)).matches(Qcow2Checker.Findings::isConsistent, context);
    try (TestImage image =
        TestImage.open(MemoryInstance.file(content.copy(), 1), base(isOverlay))) {
      ByteBuffer seen = ByteBuffer.allocateDirect(length);
      image.io().read(0, seen);
      assertThat(seen.flip()).as(context).isEqualTo(expected(length, isOverlay));
    }
  }
}
