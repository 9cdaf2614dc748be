// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.Amendable;
import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Changes properties of single images that nobody has open, as {@code qemu-img amend} and {@code
 * qemu-img rebase -u} do. A crash at any point leaves the image as it was or as wanted.
 */
public final class ImageAmender {
  private ImageAmender() {}

  /**
   * Changes an image, durably; everything is checked before.
   *
   * <p>Of qcow2: {@code compat}, {@code lazy_refcounts}, {@code refcount_bits}; {@code
   * backing_file} and {@code backing_fmt}, an empty name for none: as with {@code rebase -u} it is
   * for the caller to know that the disk is the same with it, and nothing is opened; {@code
   * data_file} and {@code data_file_raw=off}; and alone, for one key slot, {@code encrypt.state},
   * {@code encrypt.old-secret}, {@code encrypt.new-secret}, {@code encrypt.keyslot}, {@code
   * encrypt.iter-time} (see {@link ImageKeys}).
   *
   * @param name which
   * @param format driver name, or null to probe
   * @param values what to change, by the names of {@code qemu-img amend -o}
   * @param secrets asked for those that values name
   * @throws IOException with {@code INVALID} for a value that makes no sense for this image, {@code
   *     NOT_SUPPORTED} for a property that stays for ever, or that the image cannot do without, or
   *     if the format has nothing to amend, {@code LOCKED} if somebody has the image open
   */
  public static void amend(
      String name, @Nullable String format, Map<String, String> values, Amendable.Secrets secrets)
      throws IOException {
    boolean unused =
        new ClosedImage(ImageReference.of(name), format)
            .with(
                Amendable.class,
                "nothing to amend",
                true,
                (driver, file) -> {
                  driver.amend(file.name(), file, values, secrets);
                  return true;
                });
  }
}
