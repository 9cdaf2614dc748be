// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.List;

/**
 * A tree mounted in the host's file system.
 *
 * <p>The disks of the tree belong to the caller: after {@link #awaitEnd} they are still open.
 */
public final class FuseMount {
  private static final System.Logger LOG = System.getLogger(FuseMount.class.getName());

  /** Allows to mount over what is there, as mount(8) and libfuse call it. */
  private static final String NON_EMPTY = "nonempty";

  private final ServedTree served;
  private final MountPoint mountPoint;
  private final Transport.Session session;
  private final String device;

  private FuseMount(
      ServedTree served, MountPoint mountPoint, Transport.Session session, String device) {
    this.served = served;
    this.mountPoint = mountPoint;
    this.session = session;
    this.device = device;
  }

  /**
   * Mounts, and returns when the mount answers. A dead mount of ours at the mount point is detached
   * first.
   *
   * @param tree what to show
   * @param mountPoint an empty directory, or an empty regular file for a tree that is one file; the
   *     extra option {@code nonempty} allows to cover what is there
   * @param options how
   * @throws IOException with the reason on one line; nothing is mounted then
   */
  public static FuseMount start(ExportTree tree, String mountPoint, MountOptions options)
      throws IOException {
    boolean covers = options.extra().contains(NON_EMPTY);
    MountPoint place = MountPoint.prepare(mountPoint, tree.isDirectory(), covers);
    ServedTree served = ServedTree.of(tree, options);
    Transport.Session session =
        Transports.choose(options.serving().transport()).mount(place.path(), served);
    String device = MountProbe.awaitAnswer(place);
    Readahead.widen(device);
    LOG.log(
        System.Logger.Level.DEBUG,
        "mounted {0} on {1}",
        MountPoint.quoted(options.fsName()),
        MountPoint.quoted(place.path()));
    return new FuseMount(served, place, session, device);
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
    return session.awaitEnd(timeoutMillis);
  }

  /**
   * Unmounts; {@link #awaitEnd} tells when that is done. Does nothing if somebody else has.
   *
   * @throws IOException with {@code BUSY} while something of the mount is open
   */
  public void unmount() throws IOException {
    if (isMounted()) {
      Unmounting.unmount(mountPoint.path());
      logUnmount("unmounted {0}");
    }
  }

  /**
   * Takes the mount out of the host's tree: nobody finds it any more, handles that are open go on.
   * The mount ends with the last of them.
   *
   * @throws IOException if the kernel refuses
   */
  public void detach() throws IOException {
    if (isMounted()) {
      Unmounting.detach(mountPoint.path());
      logUnmount("detached {0}");
    }
  }

  /**
   * Ends the mount under handles that are open: their requests fail from now on. What is being
   * served is still served to its end.
   *
   * @throws IOException if this host leaves no way; the mount then ends with the process
   */
  public void cutOff() throws IOException {
    if (session.hasEnded()) {
      return; // its device number may be another mount's by now
    }
    if (isMounted() && HostCalls.isRoot()) {
      Unmounting.force(mountPoint.path());
    } else if (!Connections.abort(device)) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "cannot cut off " + MountPoint.quoted(mountPoint.path()) + ": no access to fusectl");
    }
    logUnmount("cut off {0}");
  }

  /**
   * Says that a disk was changed by others than the users of this mount, such as the program that
   * mounted it: what the kernel has cached of it is read again. Returns at once.
   *
   * @param disk one of those that are shown
   * @param offset first byte that changed
   * @param length in bytes; 0 for all that follows, the length of the disk included
   */
  public void changed(BlockBackend disk, long offset, long length) {
    for (ExportTree.Entry entry : served.tree().entries()) {
      if (entry.export() != null && entry.export().disk() == disk) {
        session.invalidate(entry.inode(), offset, length);
      }
    }
  }

  /**
   * Returns what was asked for and could not be had, one line each; the mount serves without it.
   */
  public List<String> remarks() {
    return session.remarks();
  }

  /** Returns how many open(2) calls on files of the mount have not been closed yet. */
  public int openHandles() {
    return served.handles().count();
  }

  /** Returns the device number of the mount, such as {@code 0:45}. */
  public String device() {
    return device;
  }

  /** Returns where the mount is, without links. */
  public String path() {
    return mountPoint.path();
  }

  /**
   * Returns whether what is seen at the mount point is this mount, not another one in its place.
   */
  private boolean isMounted() throws IOException {
    MountTable.Mount top = MountTable.read().at(mountPoint.path());
    return top != null && top.device().equals(device);
  }

  private void logUnmount(String message) {
    LOG.log(System.Logger.Level.DEBUG, message, MountPoint.quoted(mountPoint.path()));
  }
}
