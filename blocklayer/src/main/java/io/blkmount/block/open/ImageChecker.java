// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.Checkable;
import io.blkmount.block.driver.RepairMode;
import java.io.IOException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Checks and repairs single images, without the chain below them; also those that do not open. */
public final class ImageChecker {
  private ImageChecker() {}

  /**
   * Checks an image and changes nothing.
   *
   * @param name which
   * @param format driver name, or null to probe
   * @param findings told of what is wrong
   * @throws IOException with {@code NOT_SUPPORTED} if the format keeps no account of itself; if the
   *     image cannot be read, is no image, or somebody writes to it
   */
  public static CheckResult check(
      String name, @Nullable String format, Consumer<CheckFinding> findings) throws IOException {
    return run(
        name, format, false, (checkable, file) -> checkable.check(file.name(), file, findings));
  }

  /**
   * Checks an image and puts right what can be.
   *
   * @param name which; nobody else may have it open
   * @param format driver name, or null to probe
   * @param mode how much is put right
   * @param findings told of what was wrong
   * @return what is left, and what was done
   * @throws IOException as for {@link #check}, or if the image cannot be written
   */
  public static CheckResult repair(
      String name, @Nullable String format, RepairMode mode, Consumer<CheckFinding> findings)
      throws IOException {
    return run(
        name,
        format,
        true,
        (checkable, file) -> checkable.repair(file.name(), file, mode, findings));
  }

  private static CheckResult run(
      String name,
      @Nullable String format,
      boolean writable,
      ClosedImage.Action<Checkable, CheckResult> action)
      throws IOException {
    return new ClosedImage(ImageReference.of(name), format)
        .with(Checkable.class, "nothing to check", writable, action);
  }
}
