// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What cannot be created is refused by name, before anything is written. */
final class Qcow2CreateRefusalTest {
  private static final long GIB = 1L << 30;

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "cluster_size=4000|qcow2 option cluster_size: 4000 is not a power of two in 512..2097152",
        "cluster_size=4M|qcow2 option cluster_size: 4194304 is not a power of two in 512..2097152",
        "cluster_size=256|qcow2 option cluster_size: 256 is not a power of two in 512..2097152",
        "cluster_size=big|cluster_size: not a size: big",
        "refcount_bits=3|qcow2 option refcount_bits: 3 is not a power of two in 1..64",
        "refcount_bits=0|qcow2 option refcount_bits: 0 is not a power of two in 1..64",
        "refcount_bits=128|qcow2 option refcount_bits: 128 is not a power of two in 1..64",
        "compat=3|qcow2 option compat: 3 is none of 0.10, 1.1, v2, v3",
        "compression_type=lz4|qcow2 option compression_type: lz4 is none of zlib, zstd",
        "lazy_refcounts=maybe|qcow2 option lazy_refcounts: maybe is neither on nor off",
        "foo=on|qcow2 has no creation option foo",
        "extended_l2=on,cluster_size=8k|qcow2 option extended_l2: cluster_size has to be at least"
            + " 16384",
        "extended_l2=on,compat=v2|qcow2 option extended_l2: compat=0.10 has only the default,"
            + " compat=1.1 is needed",
        "preallocation=half|qcow2 option preallocation: half is none of off, metadata, falloc,"
            + " full",
        "data_file=x|an external data file cannot be opened",
        "data_file_raw=on|qcow2 option data_file_raw: data_file is needed",
        "data_file=|qcow2 option data_file: a name without NUL is needed",
        "data_file=x,compat=v2|qcow2 option data_file: compat=0.10 has only the default,"
            + " compat=1.1 is needed",
        "compat=v2,refcount_bits=8|qcow2 option refcount_bits: compat=0.10 has only the default,"
            + " compat=1.1 is needed",
        "compat=v2,lazy_refcounts=on|qcow2 option lazy_refcounts: compat=0.10 has only the"
            + " default, compat=1.1 is needed",
        "compat=v2,compression_type=zstd|qcow2 option compression_type: compat=0.10 has only the"
            + " default, compat=1.1 is needed"
      })
  void refusesBadOptionsByName(String options, String message) {
    assertRefused(disk(GIB, options), message);
  }

  @Test
  void refusesDisksThatTheL1TableCannotMap() {
    assertRefused(
        disk(128 * GIB + 1, "cluster_size=512"),
        "cannot create qcow2 image \"memory\": a disk of 137438953473 bytes is too large for"
            + " clusters of 512 bytes, which allow 137438953472");
    assertRefused(CreateOptions.ofLength(Long.MAX_VALUE), "is too large for clusters of 65536");
    assertRefused(CreateOptions.ofLength(-1), "a disk of -1 bytes");
  }

  @Test
  void refusesBackingNamesThatDoNotFit() {
    String message = "cannot create qcow2 image \"memory\": the backing file's name has ";
    assertRefused(
        overlay("x".repeat(1024), "raw"), message + "1024 bytes, at most 1023 are allowed");
    assertRefused(
        new CreateOptions(
            GIB, new BackingReference("x".repeat(377), "raw"), Map.of("cluster_size", "512")),
        message + "377 bytes, a cluster of 512 bytes has room for 376");
    assertRefused(overlay("", "raw"), "a backing file needs a name without NUL");
    assertRefused(overlay("a\0b", "raw"), "a backing file needs a name without NUL");
    assertRefused(overlay("a", "x".repeat(16)), "the backing format's name has 16 bytes");
  }

  @Test
  void refusesDevicesThatAreTooSmall() {
    MemoryInstance device =
        new MemoryInstance(
            new PagedBytes(200_000), BlockLimits.ofBlocks(1, 1), MemoryInstance.DEVICE);

    assertThatThrownBy(
            () -> Qcow2Creator.create(new MemoryChild(device), CreateOptions.ofLength(GIB)))
        .hasMessage(
            "cannot create qcow2 image \"memory\": the empty image needs 262144 bytes, there are"
                + " 200000")
        .satisfies(e -> assertThat(((BlockException) e).error()).isEqualTo(BlockError.NO_SPACE));
  }

  private static CreateOptions overlay(String name, String format) {
    return new CreateOptions(GIB, new BackingReference(name, format), Map.of());
  }

  /** The file must be as it was: nothing is written before everything is checked. */
  private static void assertRefused(CreateOptions options, String message) {
    MemoryInstance host =
        new MemoryInstance(
            PagedBytes.of(new byte[] {1, 2, 3}), BlockLimits.ofBlocks(1, 1), MemoryInstance.FILE);

    assertThatThrownBy(() -> Qcow2Creator.create(new MemoryChild(host), options))
        .isInstanceOf(BlockException.class)
        .hasMessageContaining(message);
    assertThat(host.content().length()).isEqualTo(3);
    assertThat(host.content().bytes(0, 3)).containsExactly(1, 2, 3);
  }

  private static CreateOptions disk(long length, String options) {
    Map<String, String> values = new HashMap<>();
    for (String option : options.split(",")) {
      int equals = option.indexOf('=');
      values.put(option.substring(0, equals), option.substring(equals + 1));
    }
    return new CreateOptions(length, null, values);
  }
}
