// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.ServedTree;
import io.blkmount.fuse.ServingOptions.Passthrough;
import io.blkmount.fuse.Transport;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A mount with its descriptors, from the handshake to the last worker. */
final class ChannelSession implements Transport.Session {
  private static final System.Logger LOG = System.getLogger(ChannelSession.class.getName());

  private static final int PR_SET_IO_FLUSHER = 57;

  /** More only take processor time from each other, and from who sends the requests. */
  private static final int MEASURED_THREADS = 2;

  private final DevFuse device;
  private final RequestMemory memory;
  private final ServedTree served;
  private final Notifier notifier;
  private final KernelFiles kernelFiles;
  private final OpenFiles openFiles;
  private final CountDownLatch ended = new CountDownLatch(1);

  /**
   * Takes over a mount after the handshake.
   *
   * @param device what it was made with; closed with the session, as is the memory
   * @param memory nobody else's
   * @param agreed what came out of it
   */
  ChannelSession(DevFuse device, RequestMemory memory, ServedTree served, long agreed) {
    this.device = device;
    this.memory = memory;
    this.served = served;
    this.notifier = new Notifier(device, memory);
    this.kernelFiles = new KernelFiles(device, memory, (agreed & InitHandshake.PASSTHROUGH) != 0);
    this.openFiles = new OpenFiles(kernelFiles);
  }

  void start() throws BlockException {
    new WorkerPool(this, served.options().serving().threadsOr(MEASURED_THREADS)).start();
  }

  RequestServer newServer(RequestMemory workersMemory, DevFuse workersDevice) {
    return new RequestServer(served, openFiles, workersMemory, workersDevice);
  }

  long spinNanos() {
    return TimeUnit.MICROSECONDS.toNanos(served.options().serving().spinMicros());
  }

  DevFuse newDevice(RequestMemory workersMemory) {
    return device.another(workersMemory);
  }

  /**
   * Tells the kernel that the calling thread is on the way of writes to a device, such as a loop
   * device on our file: it must not wait for those writes to get memory. Only the privileged may
   * say so; without it a mount works as long as memory is not short.
   */
  static void declareWriter() {
    if (ChannelLibrary.CALLS.prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0) {
      LOG.log(System.Logger.Level.DEBUG, "worker without PR_SET_IO_FLUSHER");
    }
  }

  @Override
  public boolean awaitEnd(long timeoutMillis) throws InterruptedException {
    return ended.await(timeoutMillis, TimeUnit.MILLISECONDS);
  }

  @Override
  public boolean hasEnded() {
    return ended.getCount() == 0;
  }

  /** Tries what may be refused, so that the user learns it at once. */
  @Override
  public List<String> remarks() {
    return served.options().serving().passthrough() == Passthrough.ON
        ? kernelFiles.obstacles(served.tree())
        : List.of();
  }

  @Override
  public void invalidate(long inode, long offset, long length) {
    notifier.invalidate(inode, offset, length);
  }

  /** Closes the descriptor, when no thread uses it any more. */
  void close() {
    kernelFiles.close();
    if (notifier.close()) {
      device.close();
      memory.close();
    } else {
      LOG.log(System.Logger.Level.ERROR, "the kernel does not return from a notification");
    }
    served.handles().releaseAll();
    ended.countDown();
  }
}
