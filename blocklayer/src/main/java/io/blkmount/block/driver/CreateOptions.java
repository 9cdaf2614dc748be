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
 */
public record CreateOptions(
    long length, @Nullable BackingReference backing, Map<String, String> values) {
  /** Copies the map. */
  public CreateOptions {
    values = Map.copyOf(values);
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
