// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.Closeable;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * From the moment the mount answers to the exit code.
 *
 * <pre>
 * serving --unmounted by anyone--------------------------------------> closing
 * serving --stop signal--> unmount --done----------------------------> closing
 *                             '--busy--> detached, serving
 * detached --last handle closed, 10 s, or a second stop signal-------> closing
 * </pre>
 *
 * <p>Closing flushes every disk and closes it clean, whatever came before.
 */
final class MountLifecycle {
  /** How long handles that are open may go on after the mount was asked to end. */
  static final long GRACE_MILLIS = 10_000;

  /** Handles are counted, not announced, so a detached mount is looked at that often. */
  private static final long LOOK_MILLIS = 50;

  private static final System.Logger LOGGER = System.getLogger(MountLifecycle.class.getName());

  /** What can happen to a mount from outside. */
  enum Event {
    /** A signal asked for the end. */
    STOP,
    /** The kernel has let go of the mount. */
    ENDED,
    /** Nothing, for as long as was waited. */
    NOTHING
  }

  /** Where events come from. */
  interface Events {
    /** Returns the next event, or {@code NOTHING} after {@code timeoutMillis}. */
    Event await(long timeoutMillis) throws InterruptedException;
  }

  /** What the lifecycle does to a mount. */
  interface Mount {
    void unmount() throws IOException;

    void detach() throws IOException;

    void cutOff() throws IOException;

    int openHandles();
  }

  private final Mount mount;
  private final List<? extends Closeable> disks;
  private final Events events;
  private final LongSupplier clockMillis;

  /**
   * Creates the lifecycle of a mount that answers.
   *
   * @param disks closed at the end, in this order
   * @param clockMillis a clock that never goes back
   */
  MountLifecycle(
      Mount mount, List<? extends Closeable> disks, Events events, LongSupplier clockMillis) {
    this.mount = mount;
    this.disks = disks;
    this.events = events;
    this.clockMillis = clockMillis;
  }

  /**
   * Serves until the end.
   *
   * @return the exit code of the server
   */
  int run() throws InterruptedException {
    boolean endedInPeace = true;
    if (awaitStopOrEnd() == Event.STOP) {
      endedInPeace = served(!unmounted());
    }
    boolean closedClean = closeDisks();
    return endedInPeace && closedClean ? ExitCode.DONE : ExitCode.FAILED;
  }

  private Event awaitStopOrEnd() throws InterruptedException {
    Event event;
    do {
      event = events.await(Long.MAX_VALUE);
    } while (event == Event.NOTHING);
    return event;
  }

  /** Returns whether the mount is gone; else it is detached and may still have users. */
  private boolean unmounted() throws InterruptedException {
    try {
      mount.unmount();
      return true;
    } catch (IOException e) {
      if (BlockException.errorOf(e) != BlockError.BUSY) {
        LOGGER.log(Level.WARNING, "cannot unmount", e);
      }
    }
    LOGGER.log(
        Level.INFO,
        "busy: detached, serving {0} open handles for {1} s at most",
        mount.openHandles(),
        GRACE_MILLIS / 1000);
    try {
      mount.detach();
    } catch (IOException e) {
      LOGGER.log(Level.WARNING, "cannot detach", e);
    }
    return false;
  }

  /**
   * Serves whoever still uses a mount that is hidden now, until its end. One that was unmounted has
   * users only in other mount namespaces, and its end is what the kernel still has to say; one that
   * was detached ends for us with the last handle.
   *
   * @return whether every handle was closed by its owner
   */
  private boolean served(boolean detached) throws InterruptedException {
    long deadlineMillis = clockMillis.getAsLong() + GRACE_MILLIS;
    while (!detached || mount.openHandles() > 0) {
      long leftMillis = deadlineMillis - clockMillis.getAsLong();
      if (leftMillis <= 0) {
        return cutOff("after " + GRACE_MILLIS / 1000 + " s");
      }
      Event event = events.await(detached ? Math.min(leftMillis, LOOK_MILLIS) : leftMillis);
      if (event == Event.ENDED) {
        return true;
      }
      if (event == Event.STOP) {
        return cutOff("at the second signal");
      }
    }
    return true;
  }

  private boolean cutOff(String when) {
    int handles = mount.openHandles();
    if (handles == 0) {
      return true;
    }
    LOGGER.log(Level.ERROR, "cut off {0} open handles {1}", handles, when);
    try {
      mount.cutOff();
    } catch (IOException e) {
      LOGGER.log(Level.WARNING, "cannot cut off", e);
    }
    return false;
  }

  private boolean closeDisks() {
    boolean clean = true;
    for (Closeable disk : disks) {
      try {
        disk.close();
      } catch (IOException e) {
        LOGGER.log(Level.ERROR, "data may be lost: the last flush failed", e);
        clean = false;
      } catch (RuntimeException | Error e) {
        // A fault of ours in one disk is no reason to lose what was written to the others.
        LOGGER.log(Level.ERROR, "data may be lost: internal error", e);
        clean = false;
      }
    }
    return clean;
  }
}
