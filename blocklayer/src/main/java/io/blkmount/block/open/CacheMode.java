// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import java.util.Locale;

/** How writes meet the host's page cache and the medium; QEMU's five cache modes. */
public enum CacheMode {
  /** Host page cache, flush on fsync. */
  WRITEBACK(false, false, false),
  /** O_DIRECT, flush on fsync. */
  NONE(true, false, false),
  /** Host page cache, flush after each write. */
  WRITETHROUGH(false, true, false),
  /** O_DIRECT, flush after each write. */
  DIRECTSYNC(true, true, false),
  /** Host page cache, no flush at all. */
  UNSAFE(false, false, true);

  private final boolean direct;
  private final boolean flushAfterWrite;
  private final boolean noFlush;

  CacheMode(boolean direct, boolean flushAfterWrite, boolean noFlush) {
    this.direct = direct;
    this.flushAfterWrite = flushAfterWrite;
    this.noFlush = noFlush;
  }

  /** Returns whether the host file is opened with O_DIRECT. */
  public boolean direct() {
    return direct;
  }

  /** Returns whether every write is made durable before it is answered. */
  public boolean flushAfterWrite() {
    return flushAfterWrite;
  }

  /** Returns whether flushes stop before the medium. */
  public boolean noFlush() {
    return noFlush;
  }

  /** Returns the name as options spell it. */
  public String optionName() {
    return name().toLowerCase(Locale.ROOT);
  }
}
