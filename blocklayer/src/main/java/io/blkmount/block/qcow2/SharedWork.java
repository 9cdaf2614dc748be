// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.error.Rethrown;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The pieces of one request, done by the thread that serves it together with idle threads of a
 * small pool. The thread never depends on the pool: what nobody else takes it does itself.
 */
final class SharedWork {
  private static final Logger LOG = System.getLogger(SharedWork.class.getName());

  /** More threads than processors gain nothing: the pieces are all computation. */
  private static final int MAX_HELPERS =
      Math.max(1, Math.min(8, Runtime.getRuntime().availableProcessors() - 1));

  private static final long IDLE_SECONDS = 10;

  /**
   * Hands work to a thread that waits for some, or starts one; there is no queue to grow old in.
   */
  private static final ThreadPoolExecutor HELPERS =
      new ThreadPoolExecutor(
          0,
          MAX_HELPERS,
          IDLE_SECONDS,
          TimeUnit.SECONDS,
          new SynchronousQueue<>(),
          SharedWork::newThread,
          new ThreadPoolExecutor.DiscardPolicy());

  private final int count;
  private final Piece piece;
  private final AtomicInteger next = new AtomicInteger();

  @GuardedBy("this")
  private int finished;

  @GuardedBy("this")
  private @Nullable Throwable failure;

  /** One piece of a request. */
  interface Piece {
    void run(int index) throws IOException;
  }

  private SharedWork(int count, Piece piece) {
    this.count = count;
    this.piece = piece;
  }

  /**
   * Runs all pieces, and returns when all have ended.
   *
   * @param count how many there are
   * @param piece called once for each index below {@code count}, by any thread
   * @throws IOException what the first piece that failed threw
   */
  static void run(int count, Piece piece) throws IOException {
    SharedWork work = new SharedWork(count, piece);
    try {
      for (int i = 1; i < Math.min(count, MAX_HELPERS + 1); i++) {
        HELPERS.execute(work::takePieces);
      }
    } catch (OutOfMemoryError noThread) {
      LOG.log(Level.DEBUG, "no thread to help with a request", noThread);
    }
    work.takePieces();
    work.awaitEnd();
  }

  /** On Linux it inherits PR_SET_IO_FLUSHER from the thread whose request it is started for. */
  private static Thread newThread(Runnable work) {
    Thread thread = new Thread(work, "blkmount-decompress");
    thread.setDaemon(true);
    return thread;
  }

  private void takePieces() {
    for (int index = next.getAndIncrement(); index < count; index = next.getAndIncrement()) {
      Throwable thrown = null;
      try {
        piece.run(index);
      } catch (IOException | RuntimeException | Error e) {
        thrown = e;
      }
      end(thrown);
    }
  }

  private synchronized void end(@Nullable Throwable thrown) {
    finished++;
    failure = failure == null ? thrown : failure;
    if (finished == count) {
      notifyAll();
    }
  }

  /** The target belongs to the request, so that its thread waits for all; an interrupt is kept. */
  private synchronized void awaitEnd() throws IOException {
    boolean interrupted = false;
    while (finished < count) {
      try {
        wait();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    Rethrown.rethrow(failure);
  }
}
