// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import io.blkmount.fuse.Errnos;

/** One thread of a mount: takes a request, serves it to its end, takes the next. */
final class Worker implements Runnable {
  private static final System.Logger LOG = System.getLogger(Worker.class.getName());

  /** What {@link #receive} gives when there will be no more requests. */
  private static final int END = 0;

  private final LibfuseSession session;
  private final WorkerPool pool;

  Worker(LibfuseSession session, WorkerPool pool) {
    this.session = session;
    this.pool = pool;
  }

  @Override
  public void run() {
    try {
      session.declareWriter();
      RequestBuffer buffer = session.newBuffer();
      int length = receive(buffer);
      while (length != END) {
        pool.leaveWaiting();
        serve(buffer, length);
        length = pool.joinWaiting() ? receive(buffer) : END;
      }
    } finally {
      pool.end();
    }
  }

  private int receive(RequestBuffer buffer) {
    int length;
    do {
      length = session.receive(buffer);
    } while (length == -Errnos.INTERRUPTED
        || length == -Errnos.TRY_AGAIN
        || length == -Errnos.NOT_FOUND);
    if (length < 0 && length != -Errnos.NO_DEVICE) {
      LOG.log(System.Logger.Level.ERROR, "no more requests from the kernel: errno " + -length);
    }
    return Math.max(END, length);
  }

  /** Nothing may end a worker here: whoever sent the request would wait for ever. */
  private void serve(RequestBuffer buffer, int length) {
    try {
      session.process(buffer, length);
    } catch (Throwable failure) {
      LOG.log(System.Logger.Level.ERROR, "a request failed outside its upcall", failure);
    }
  }
}
