// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Native coders that are idle; a few are kept, since each of them holds memory that no garbage
 * collector sees.
 */
final class CoderPool<C extends CoderPool.Coder> implements AutoCloseable {
  private static final int MAX_IDLE = 8;

  private final ArrayBlockingQueue<C> idle = new ArrayBlockingQueue<>(MAX_IDLE);
  private final Supplier<C> maker;
  private volatile boolean closed;

  CoderPool(Supplier<C> maker) {
    this.maker = maker;
  }

  /** One native coder, used by one thread at a time. */
  interface Coder {
    /** Forgets the stream and lets go of its buffers. */
    void reset();

    void end();
  }

  /** Returns an idle coder, or a new one. */
  C take() {
    @Nullable C coder = idle.poll();
    return coder != null ? coder : maker.get();
  }

  /** Takes a coder back. One that has failed is not given back but ended. */
  void giveBack(C coder) {
    coder.reset();
    if (!idle.offer(coder)) {
      coder.end();
    }
    if (closed) {
      endIdle();
    }
  }

  /** Ends idle coders; those in use end when they are given back. */
  @Override
  public void close() {
    closed = true;
    endIdle();
  }

  private void endIdle() {
    for (@Nullable C coder = idle.poll(); coder != null; coder = idle.poll()) {
      coder.end();
    }
  }
}
