// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What an image is created with.
 *
 * @param length of the virtual disk in bytes
 * @param backing what the header shall name as its backing file, or null
 * @param values the driver's own creation options, by the names of {@code qemu-img create -o}
 * @param keys where the key of an image comes from that is to be encrypted
 */
public record CreateOptions(
    long length, @Nullable BackingReference backing, Map<String, String> values, KeySource keys) {
  /** Copies the map. */
  public CreateOptions {
    values = Map.copyOf(values);
  }

  /**
   * Creates options for an image that is not encrypted.
   *
   * @param length of the virtual disk in bytes
   * @param backing what the header shall name as its backing file, or null
   * @param values the driver's own creation options
   */
  public CreateOptions(
      long length, @Nullable BackingReference backing, Map<String, String> values) {
    this(length, backing, values, KeySource.NONE);
  }

  /**
   * Returns these options with another {@code keys}.
   *
   * @param keys where the key of an image comes from that is to be encrypted
   */
  public CreateOptions withKeys(KeySource keys) {
    return new CreateOptions(length, backing, values, keys);
  }

  /**
   * Returns options for an image without backing file and with the driver's defaults.
   *
   * @param length of the virtual disk in bytes
   */
  public static CreateOptions ofLength(long length) {
    return new CreateOptions(length, null, Map.of());
  }
}
