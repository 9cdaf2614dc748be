// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import java.nio.ByteBuffer;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Tells the kernel what it should forget, on a thread of its own: the kernel waits for pages then,
 * and a request that holds them may wait for the very worker that would tell.
 *
 * <pre>
 *   fuse_out_header                0  4 length    4  4 code     8  8 zero
 *   fuse_notify_inval_inode_out   16  8 inode    24  8 offset  32  8 length    40  end
 * </pre>
 */
final class Notifier {
  private static final System.Logger LOG = System.getLogger(Notifier.class.getName());

  private static final int INVALIDATE_INODE = 2;
  private static final int LENGTH = 40;
  private static final long PATIENCE_SECONDS = 20;

  private final DevFuse device;
  private final RequestMemory memory;
  private final ThreadPoolExecutor teller;

  Notifier(DevFuse device, RequestMemory memory) {
    this.device = device;
    this.memory = memory;
    this.teller =
        new ThreadPoolExecutor(
            0,
            1,
            1,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            Notifier::newThread,
            new ThreadPoolExecutor.DiscardPolicy()); // after the end there is nobody to tell
  }

  private static Thread newThread(Runnable task) {
    Thread thread = new Thread(task, "fuse-notify");
    thread.setDaemon(true);
    return thread;
  }

  void invalidate(long inode, long offset, long length) {
    teller.execute(() -> tell(inode, offset, length));
  }

  private void tell(long inode, long offset, long length) {
    ByteBuffer bytes = memory.bytes();
    bytes.putInt(0, LENGTH).putInt(4, INVALIDATE_INODE).putLong(8, 0);
    bytes.putLong(16, inode).putLong(24, offset).putLong(32, length);
    int errno = device.send(memory.address(0), LENGTH);
    // ENOENT and the like: the kernel knows nothing of the file, or the mount has ended.
    LOG.log(System.Logger.Level.DEBUG, "invalidated inode {0}: errno {1}", inode, errno);
  }

  /** Waits until nothing is being told any more: the descriptor's number is about to be free. */
  boolean close() {
    teller.shutdownNow();
    try {
      return teller.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
