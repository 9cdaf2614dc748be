// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The handles of a mount: one for each open(2) that has not been closed.
 *
 * <p>A handle keeps its file for as long as it is open, whatever becomes of the tree.
 */
public final class OpenExports {
  private final ConcurrentMap<Long, ExportTree.Entry> handles = new ConcurrentHashMap<>();
  private final AtomicLong lastHandle = new AtomicLong();

  /** Creates a table without handles. */
  public OpenExports() {}

  /**
   * Opens a file.
   *
   * @param entry the file
   * @param flags as open(2) has them
   * @return the handle, never 0
   * @throws IOException with {@code READ_ONLY}, {@code IS_DIRECTORY} or what O_TRUNC met
   */
  public long open(ExportTree.Entry entry, int flags) throws IOException {
    exportOf(entry).open(flags);
    long handle = lastHandle.incrementAndGet();
    handles.put(handle, entry);
    return handle;
  }

  /**
   * Returns what a handle was opened on.
   *
   * @param handle from {@link #open}
   * @throws BlockException with {@code STALE} for a handle that is not open
   */
  public ExportTree.Entry entry(long handle) throws BlockException {
    ExportTree.Entry entry = handles.get(handle);
    if (entry == null) {
      throw new BlockException(BlockError.STALE, "handle " + handle + " is not open");
    }
    return entry;
  }

  /**
   * Returns the file of a handle.
   *
   * @param handle from {@link #open}
   * @throws BlockException with {@code STALE} for a handle that is not open
   */
  public Export export(long handle) throws BlockException {
    return exportOf(entry(handle));
  }

  /**
   * Forgets a handle; there is nothing left to fail.
   *
   * @param handle from {@link #open}; one that is not open is ignored
   */
  public void release(long handle) {
    handles.remove(handle);
  }

  /** Forgets every handle: the kernel sends no release for those it drops with the mount. */
  public void releaseAll() {
    handles.clear();
  }

  /** Returns how many handles are open. */
  public int count() {
    return handles.size();
  }

  /**
   * Returns the file at an entry.
   *
   * @param entry of a tree
   * @throws BlockException with {@code IS_DIRECTORY} for the root directory
   */
  public static Export exportOf(ExportTree.Entry entry) throws BlockException {
    Export export = entry.export();
    if (export == null) {
      throw new BlockException(BlockError.IS_DIRECTORY, "the root of the mount is a directory");
    }
    return export;
  }
}
