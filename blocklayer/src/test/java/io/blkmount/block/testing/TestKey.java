// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.driver.KeySource;
import java.nio.charset.StandardCharsets;

/** The key of all encrypted images under test. */
public final class TestKey {
  /** Longer than what the first encryption of qcow2 takes of it; no comma, for qemu-img. */
  public static final String TEXT = "a longer key than sixteen bytes";

  /** Gives it to every image. */
  public static final KeySource SOURCE = imageName -> bytes();

  /** Makes it known to a command of QEMU, with {@code --object}, by the name {@code key}. */
  public static final String QEMU_OBJECT = "secret,id=key,data=" + TEXT;

  private TestKey() {}

  /** Returns a copy. */
  public static byte[] bytes() {
    return TEXT.getBytes(StandardCharsets.UTF_8);
  }
}
