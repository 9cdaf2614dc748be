// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.HashMap;
import java.util.Map;

/**
 * Which files the kernel caches. A file is either cached for all who have it open, or for nobody:
 * requests past the cache run side by side, but those that are asynchronous leave old pages in it.
 *
 * <pre>
 *   closed --open--> cached             others join, with O_DIRECT too: the kernel keeps them apart
 *          --open with O_DIRECT--> past others join, without O_DIRECT too
 * </pre>
 *
 * <p>Pages survive from one opening to the next, unless the file was written past them in between.
 */
final class CacheModes {
  /** Requests go past the page cache. */
  static final int DIRECT_IO = 1;

  /** Pages from an earlier opening are still right: every change of the disk comes this way. */
  static final int KEEP_CACHE = 1 << 1;

  /** Writes that do not change the size do not wait for each other. */
  static final int PARALLEL_DIRECT_WRITES = 1 << 6;

  @GuardedBy("this")
  private final Map<Long, Mode> modes = new HashMap<>();

  /** What goes for a file. */
  private static final class Mode {
    int openings;
    boolean pastCache;
    boolean stale;
  }

  /** Counts an opening; returns how the kernel shall treat it, as flags of its reply. */
  synchronized int opened(long inode, OpenFlags flags) {
    Mode mode = modes.computeIfAbsent(inode, i -> new Mode());
    if (mode.openings++ == 0) {
      mode.pastCache = flags.direct();
    }
    if (mode.pastCache) {
      mode.stale |= flags.writes();
      return DIRECT_IO | PARALLEL_DIRECT_WRITES;
    }
    boolean keep = !mode.stale;
    mode.stale = false;
    return keep ? KEEP_CACHE : 0;
  }

  /** Counts a closing. */
  synchronized void closed(long inode) {
    modes.get(inode).openings--;
  }
}
