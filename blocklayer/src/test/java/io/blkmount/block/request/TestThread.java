// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A thread of a test: its result, or what it threw, and whether it is blocked. */
final class TestThread<T> {
  private static final long PATIENCE_SECONDS = 60;

  private final FutureTask<T> task;
  private final Thread thread;

  private TestThread(Callable<T> body, long stackSize) {
    task = new FutureTask<>(body);
    thread = new Thread(null, task, "test", stackSize);
    thread.setDaemon(true);
    thread.start();
  }

  /** Starts a thread. */
  static <T> TestThread<T> start(Callable<T> body) {
    return new TestThread<>(body, 0);
  }

  /** Starts a thread with a stack of so many bytes. */
  static <T> TestThread<T> start(long stackSize, Callable<T> body) {
    return new TestThread<>(body, stackSize);
  }

  /** What can fail and gives nothing. */
  interface Action {
    void run() throws Exception;
  }

  /** Starts a thread without a result. */
  static TestThread<Boolean> run(Action body) {
    return start(
        () -> {
          body.run();
          return true;
        });
  }

  /** Waits until the thread waits for another one; fails if it ends instead. */
  TestThread<T> awaitBlocked() {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (thread.getState() != Thread.State.WAITING) {
      if (task.isDone() || System.nanoTime() > deadline) {
        throw new AssertionError("not blocked: " + thread.getState());
      }
      Thread.onSpinWait();
    }
    return this;
  }

  /** Returns whether the thread has ended. */
  boolean isDone() {
    return task.isDone();
  }

  /** Returns the result; throws what the thread threw. */
  T join() throws Exception {
    try {
      return task.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException failure) {
      if (failure.getCause() instanceof Exception exception) {
        throw exception;
      }
      throw new AssertionError("in another thread: " + failure.getCause(), failure.getCause());
    } catch (TimeoutException late) {
      AssertionError hang = new AssertionError("thread hangs");
      hang.setStackTrace(thread.getStackTrace());
      throw hang;
    }
  }
}
