// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/** A tree mounted in the host's file system. */
public final class FuseMount {
  private FuseMount() {}

  /**
   * Mounts, and returns when the mount answers. A dead mount of ours at the mount point is detached
   * first.
   *
   * @param tree what to show
   * @param mountPoint an empty directory, or an empty regular file for a tree that is one file
   * @param options how
   * @throws IOException with the reason on one line; nothing is mounted then
   */
  public static FuseMount start(ExportTree tree, String mountPoint, MountOptions options)
      throws IOException {
    throw new BlockException(
        BlockError.NOT_SUPPORTED, "cannot mount \"" + mountPoint + "\": no transport");
  }

  /**
   * Waits until the kernel has let go of the mount, whoever unmounted it, and every request has
   * ended. The disks stay open; they are the caller's to close.
   *
   * @param timeoutMillis how long to wait; 0 only looks
   * @return whether it has ended
   * @throws InterruptedException if the waiting thread was interrupted
   */
  public boolean awaitEnd(long timeoutMillis) throws InterruptedException {
    return true;
  }

  /**
   * Unmounts; {@link #awaitEnd} tells when that is done.
   *
   * @throws IOException with {@code BUSY} while something of the mount is open
   */
  public void unmount() throws IOException {}

  /**
   * Takes the mount out of the host's tree: nobody finds it any more, handles that are open go on.
   * The mount ends with the last of them.
   *
   * @throws IOException if the kernel refuses
   */
  public void detach() throws IOException {}

  /**
   * Ends the mount under handles that are open: their requests fail from now on. What is being
   * served is still served to its end.
   *
   * @throws IOException if the kernel refuses; the mount then ends with the process
   */
  public void cutOff() throws IOException {}

  /** Returns how many open(2) calls on files of the mount have not been closed yet. */
  public int openHandles() {
    return 0;
  }
}
