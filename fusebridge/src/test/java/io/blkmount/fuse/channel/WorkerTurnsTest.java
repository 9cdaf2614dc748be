// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whose turn it is, whatever becomes of those who had it. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class WorkerTurnsTest {
  private static final int BLOCK = 512;

  /** As many requests as the kernel has in the background. */
  private static final int STUCK = 256;

  /** Each stuck request has a worker; that there are some more does no harm. */
  private static final int MOST_WORKERS = STUCK + 32;

  /** Holds every read until it is told to go on. */
  private static final class StalledReads extends ForwardingInstance {
    private final CountDownLatch arrived = new CountDownLatch(STUCK);
    private final CountDownLatch goOn = new CountDownLatch(1);

    StalledReads(DriverInstance inner) {
      super(inner);
    }

    @Override
    protected void before(Call call) throws IOException {
      if (call.kind() == Kind.READ) {
        arrived.countDown();
        try {
          goOn.await();
        } catch (InterruptedException e) {
          throw new InterruptedIOException();
        }
      }
    }
  }

  @ParameterizedTest(name = "{0} turns")
  @ValueSource(ints = {1, 2})
  void requestBehindManyThatAreStuckIsAnswered(int turns) throws Exception {
    StalledReads host = new StalledReads(MemoryInstance.ofLength(STUCK * BLOCK));
    try (ServedSocket served = new ServedSocket(host, turns)) {
      long handle = served.open();
      Set<Long> stuck = new HashSet<>();
      try {
        for (int i = 0; i < STUCK; i++) {
          stuck.add(served.sendRead(handle, (long) i * BLOCK, BLOCK));
        }
        host.arrived.await();

        served.requireAnswer();

        served.kernel().requireSilence();
        assertThat(served.pool().workers()).hasSizeBetween(STUCK + 1, MOST_WORKERS);
      } finally {
        host.goOn.countDown();
      }
      for (int i = 0; i < STUCK; i++) {
        assertThat(stuck.remove(served.kernel().awaitReply().unique())).isTrue();
      }
    }
  }

  /** A log that cannot be written to: what goes wrong while a failure is reported. */
  private static final class BrokenLog extends Handler implements AutoCloseable {
    private final Logger logger = Logger.getLogger(FuseReply.class.getName());

    BrokenLog() {
      logger.addHandler(this);
      logger.setUseParentHandlers(false);
    }

    @Override
    public void publish(LogRecord message) {
      throw new LinkageError("thrown by a test: " + message.getMessage());
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
      logger.removeHandler(this);
      logger.setUseParentHandlers(true);
    }
  }

  /** With a flush the turn was given away before, with a read the worker still has it. */
  @ParameterizedTest(name = "turn given away: {0}")
  @ValueSource(booleans = {false, true})
  void turnOfAWorkerThatDiesIsThereOnce(boolean givenAway) throws Exception {
    try (ServedSocket served = new ServedSocket(MemoryInstance.ofLength(BLOCK), 1);
        BrokenLog log = new BrokenLog()) {
      long handle = served.open();
      FuseWorker dying = awaitWaiting(served);
      served.kernel().hangUp();

      long unused = givenAway ? served.sendFlush(handle) : served.sendRead(handle, 0, BLOCK);
      while (served.pool().workers().contains(dying)) {
        Thread.onSpinWait();
      }
      served.pool().turns().place();

      assertThat(served.pool().workers()).containsExactly(awaitWaiting(served));
    }
  }

  private static FuseWorker awaitWaiting(ServedSocket served) {
    while (true) {
      for (FuseWorker worker : served.pool().workers()) {
        if (worker.isWaiting()) {
          return worker;
        }
      }
      Thread.onSpinWait();
    }
  }
}
