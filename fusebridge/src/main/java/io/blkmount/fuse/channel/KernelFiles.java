// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.backend.FileLending;
import io.blkmount.fuse.Errnos;
import io.blkmount.fuse.Export;
import io.blkmount.fuse.ExportTree;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The image files that the kernel reads and writes by itself (passthrough): one for each inode, for
 * as long as any of its openings lasts. Whether an inode is treated so is decided at its first
 * opening and for good, because the kernel does not let both ways be used at once.
 *
 * <pre>
 *   fuse_backing_map   0  4 descriptor   4  4 flags   8  8 zero    16  end
 * </pre>
 */
final class KernelFiles {
  private static final System.Logger LOG = System.getLogger(KernelFiles.class.getName());

  /** No file: the kernel asks us for each read and write. */
  static final int NONE = 0;

  private static final long FUSE_DEV_IOC_BACKING_OPEN = 0x4010e501L;
  private static final long FUSE_DEV_IOC_BACKING_CLOSE = 0x4004e502L;
  private static final int ARGUMENT = RequestMemory.DATA;

  private final DevFuse device;
  private final RequestMemory memory;
  private final boolean offered;

  @GuardedBy("this")
  private final Map<Long, KernelFile> files = new HashMap<>();

  @GuardedBy("this")
  private boolean ended;

  /** What the kernel or the disk said no to, by inode. */
  @GuardedBy("this")
  private final Map<Long, String> refusals = new HashMap<>();

  /** A file that the kernel has, and how often it is open. */
  private static final class KernelFile {
    final int id;
    final FileLending.Loan loan;
    int openings;

    KernelFile(int id, FileLending.Loan loan) {
      this.id = id;
      this.loan = loan;
    }
  }

  /**
   * Starts without files.
   *
   * @param device where the kernel is asked
   * @param memory whose data area is free for the arguments
   * @param offered whether the kernel has agreed to passthrough
   */
  KernelFiles(DevFuse device, RequestMemory memory, boolean offered) {
    this.device = device;
    this.memory = memory;
    this.offered = offered;
  }

  /** Counts an opening; returns the kernel's number for the file, or {@link #NONE}. */
  synchronized int opened(ExportTree.Entry entry) {
    KernelFile file = files.get(entry.inode());
    if (file == null && offered && !ended && !refusals.containsKey(entry.inode())) {
      file = register(entry);
    }
    if (file == null) {
      return NONE;
    }
    file.openings++;
    return file.id;
  }

  /**
   * Counts a closing; with the last one the file is taken back.
   *
   * @return whether the kernel had the file
   */
  synchronized boolean closed(ExportTree.Entry entry) {
    KernelFile file = files.get(entry.inode());
    if (file != null && --file.openings == 0) {
      files.remove(entry.inode());
      takeBack(file);
    }
    return file != null;
  }

  /** Takes back whatever is out, after the mount has ended; the memory is not used any more. */
  synchronized void close() {
    ended = true;
    files.values().forEach(file -> file.loan.close());
    files.clear();
  }

  /** Returns a line for each file that the kernel cannot have. */
  synchronized List<String> obstacles(ExportTree tree) {
    List<String> lines = new ArrayList<>();
    for (ExportTree.Entry entry : tree.entries()) {
      if (entry.export() != null && !ended) {
        boolean possible = opened(entry) != NONE && closed(entry);
        String why = offered ? refusals.get(entry.inode()) : "this kernel does not offer it";
        if (!possible) {
          lines.add("no passthrough of \"" + entry.export().disk().imageName() + "\": " + why);
        }
      }
    }
    return lines;
  }

  @GuardedBy("this")
  private @Nullable KernelFile register(ExportTree.Entry entry) {
    Export export = entry.export();
    try {
      FileLending.Loan loan = export == null ? null : export.disk().lendFile();
      return loan == null ? null : register(entry, loan);
    } catch (IOException e) {
      refuse(entry, String.valueOf(e.getMessage()));
      return null;
    }
  }

  @GuardedBy("this")
  private @Nullable KernelFile register(ExportTree.Entry entry, FileLending.Loan loan) {
    memory.bytes().putInt(ARGUMENT, loan.descriptor()).putInt(ARGUMENT + 4, 0);
    memory.bytes().putLong(ARGUMENT + 8, 0);
    int id = device.control(FUSE_DEV_IOC_BACKING_OPEN, memory.address(ARGUMENT));
    if (id <= 0) {
      loan.close();
      refuse(entry, "refused by the kernel: " + Errnos.errorOf(-id));
      return null;
    }
    KernelFile file = new KernelFile(id, loan);
    files.put(entry.inode(), file);
    return file;
  }

  @GuardedBy("this")
  private void refuse(ExportTree.Entry entry, String why) {
    refusals.put(entry.inode(), why);
    LOG.log(System.Logger.Level.DEBUG, "no passthrough of inode {0}: {1}", entry.inode(), why);
  }

  @GuardedBy("this")
  private void takeBack(KernelFile file) {
    memory.bytes().putInt(ARGUMENT, file.id);
    int result = device.control(FUSE_DEV_IOC_BACKING_CLOSE, memory.address(ARGUMENT));
    if (result < 0) {
      LOG.log(System.Logger.Level.WARNING, "cannot take back a file from the kernel: {0}", result);
    }
    file.loan.close();
  }
}
