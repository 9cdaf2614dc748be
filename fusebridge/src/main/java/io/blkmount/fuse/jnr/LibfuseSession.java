// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import io.blkmount.fuse.ServedTree;
import io.blkmount.fuse.ServingOptions.Passthrough;
import io.blkmount.fuse.Transport;
import java.lang.ref.Reference;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import jnr.ffi.LastError;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/**
 * A mount of libfuse with its channel to the kernel.
 *
 * <p>The channel is closed by the last worker: a reply written later could land in whatever file
 * got the descriptor's number in between.
 */
final class LibfuseSession implements Transport.Session {
  private static final System.Logger LOG = System.getLogger(LibfuseSession.class.getName());

  private static final int PR_SET_IO_FLUSHER = 57;

  /** One in reserve for each that works. */
  private static final int READY_THREADS = 2;

  private final LibFuse2.Calls libfuse;
  private final Runtime runtime;
  private final Pointer fuse;
  private final Pointer session;
  private final Pointer channel;
  private final int descriptor;
  private final JnrFuseAdapter adapter;
  private final ServedTree served;
  private final CountDownLatch ended = new CountDownLatch(1);

  LibfuseSession(LibFuse2.Calls libfuse, Pointer fuse, JnrFuseAdapter adapter, ServedTree served) {
    this.libfuse = libfuse;
    this.runtime = Runtime.getRuntime(libfuse);
    this.fuse = fuse;
    this.session = libfuse.fuse_get_session(fuse);
    this.channel = libfuse.fuse_session_next_chan(session, null);
    this.descriptor = libfuse.fuse_chan_fd(channel);
    this.adapter = adapter;
    this.served = served;
  }

  void start() {
    new WorkerPool(this, served.options().serving().threadsOr(READY_THREADS)).start();
  }

  @Override
  public boolean awaitEnd(long timeoutMillis) throws InterruptedException {
    return ended.await(timeoutMillis, TimeUnit.MILLISECONDS);
  }

  @Override
  public boolean hasEnded() {
    return ended.getCount() == 0;
  }

  @Override
  public List<String> remarks() {
    boolean wanted = served.options().serving().passthrough() == Passthrough.ON;
    return wanted ? List.of("no passthrough through libfuse 2 (--fuse channel)") : List.of();
  }

  /**
   * Leaves it to time: libfuse numbers the files itself, and attributes are asked anew each second.
   */
  @Override
  public void invalidate(long inode, long offset, long length) {}

  /**
   * Tells the kernel that the calling thread is on the way of writes to a device, such as a loop
   * device on our file: it must not wait for those writes to get memory. Only the privileged may
   * say so; without it a mount works as long as memory is not short.
   */
  void declareWriter() {
    if (libfuse.prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0) {
      LOG.log(System.Logger.Level.DEBUG, "worker without PR_SET_IO_FLUSHER");
    }
  }

  /** Returns memory that the kernel fits any request into. */
  RequestBuffer newBuffer() {
    return new RequestBuffer(runtime, Math.toIntExact(libfuse.fuse_chan_bufsize(channel)));
  }

  /** Waits for a request; returns its length, or a negative errno. */
  int receive(RequestBuffer buffer) {
    long length = libfuse.read(descriptor, buffer.memory(), buffer.size());
    return length < 0 ? -LastError.getLastError(runtime) : Math.toIntExact(length);
  }

  /** Serves a request on the calling thread, the reply included. */
  void process(RequestBuffer buffer, int length) {
    libfuse.fuse_session_process(session, buffer.memory(), length, channel);
  }

  /** Closes the channel, when no thread uses it any more. */
  void close() {
    libfuse.fuse_chan_destroy(channel);
    libfuse.fuse_destroy(fuse);
    Reference.reachabilityFence(adapter); // its upcalls were libfuse's until here
    served.handles().releaseAll();
    ended.countDown();
  }
}
