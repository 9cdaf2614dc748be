// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.cli.MountLifecycle.Event;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class MountLifecycleTest {
  private final List<String> calls = new ArrayList<>();
  private final World world = new World();

  @Test
  void unmountedByAnybodyIsClosedCleanAndDone() throws InterruptedException {
    world.at(5_000, Event.ENDED);

    assertThat(run()).isEqualTo(ExitCode.DONE);
    assertThat(calls).containsExactly("close");
  }

  @Test
  void aStopSignalUnmountsAnIdleMount() throws InterruptedException {
    world.at(5_000, Event.STOP);
    world.at(5_020, Event.ENDED);

    assertThat(run()).isEqualTo(ExitCode.DONE);
    assertThat(calls).containsExactly("unmount", "close");
    assertThat(world.nowMillis).isEqualTo(5_020);
  }

  @Test
  void aBusyMountIsDetachedAndServesUntilTheLastHandleIsClosed() throws InterruptedException {
    world.at(0, Event.STOP);
    world.handlesUntilMillis = 9_000;

    assertThat(run()).isEqualTo(ExitCode.DONE);
    assertThat(calls).containsExactly("unmount: busy", "detach", "close");
    assertThat(world.nowMillis).isBetween(9_000L, 9_100L);
  }

  @Test
  void aBusyMountThatEndsByItselfIsDone() throws InterruptedException {
    world.at(0, Event.STOP);
    world.at(3_000, Event.ENDED);
    world.handlesUntilMillis = Long.MAX_VALUE;

    assertThat(run()).isEqualTo(ExitCode.DONE);
    assertThat(calls).containsExactly("unmount: busy", "detach", "close");
  }

  @Test
  void handlesThatStayOpenAreCutOffAfterTenSeconds() throws InterruptedException {
    world.at(0, Event.STOP);
    world.handlesUntilMillis = Long.MAX_VALUE;

    assertThat(run()).isEqualTo(ExitCode.FAILED);
    assertThat(calls).containsExactly("unmount: busy", "detach", "cutOff", "close");
    assertThat(world.nowMillis).isEqualTo(10_000);
  }

  @Test
  void aSecondSignalSkipsTheWait() throws InterruptedException {
    world.at(0, Event.STOP);
    world.at(2_000, Event.STOP);
    world.handlesUntilMillis = Long.MAX_VALUE;

    assertThat(run()).isEqualTo(ExitCode.FAILED);
    assertThat(calls).containsExactly("unmount: busy", "detach", "cutOff", "close");
    assertThat(world.nowMillis).isEqualTo(2_000);
  }

  /** An unmount here says nothing of copies of the mount in other mount namespaces. */
  @ParameterizedTest(name = "cut off at {0} ms")
  @ValueSource(longs = {2_000, 10_000})
  void handlesInAnotherNamespaceAreWaitedForAndCutOffAsWell(long endMillis)
      throws InterruptedException {
    world.at(0, Event.STOP);
    if (endMillis < 10_000) {
      world.at(endMillis, Event.STOP);
    }
    world.handlesUntilMillis = Long.MAX_VALUE;
    world.isUsedElsewhere = true;

    assertThat(run()).isEqualTo(ExitCode.FAILED);
    assertThat(calls).containsExactly("unmount", "cutOff", "close");
    assertThat(world.nowMillis).isEqualTo(endMillis);
  }

  @Test
  void aFailedLastFlushIsAFailureAndTheOtherDisksAreClosedAllTheSame() throws InterruptedException {
    world.at(0, Event.ENDED);
    Closeable failing =
        () -> {
          calls.add("close fails");
          throw new IOException("no space left");
        };

    int exitCode =
        new MountLifecycle(
                world, List.of(failing, () -> calls.add("close")), world, () -> world.nowMillis)
            .run();

    assertThat(exitCode).isEqualTo(ExitCode.FAILED);
    assertThat(calls).containsExactly("close fails", "close");
  }

  @Test
  void aFaultOfOursInOneDiskLosesNothingOfTheOthers() throws InterruptedException {
    world.at(0, Event.ENDED);
    Closeable broken =
        () -> {
          throw new IllegalStateException("fault");
        };

    int exitCode =
        new MountLifecycle(
                world, List.of(broken, () -> calls.add("close")), world, () -> world.nowMillis)
            .run();

    assertThat(exitCode).isEqualTo(ExitCode.FAILED);
    assertThat(calls).containsExactly("close");
  }

  private int run() throws InterruptedException {
    Closeable disk = () -> calls.add("close");
    return new MountLifecycle(world, List.of(disk), world, () -> world.nowMillis).run();
  }

  /** A clock, a mount and a script of what happens when; waiting moves the clock. */
  private final class World implements MountLifecycle.Mount, MountLifecycle.Events {
    private record Entry(long atMillis, Event event) {}

    private final Deque<Entry> script = new ArrayDeque<>();
    private long nowMillis;
    private long handlesUntilMillis;
    private boolean isUsedElsewhere;

    void at(long millis, Event event) {
      script.add(new Entry(millis, event));
    }

    @Override
    public Event await(long timeoutMillis) {
      Entry next = script.peek();
      if (next != null && next.atMillis - nowMillis <= timeoutMillis) {
        script.remove();
        nowMillis = Math.max(nowMillis, next.atMillis);
        return next.event;
      }
      nowMillis += timeoutMillis;
      return Event.NOTHING;
    }

    @Override
    public void unmount() throws IOException {
      if (openHandles() > 0 && !isUsedElsewhere) {
        calls.add("unmount: busy");
        throw new BlockException(BlockError.BUSY, "busy");
      }
      calls.add("unmount");
    }

    @Override
    public void detach() {
      calls.add("detach");
    }

    @Override
    public void cutOff() {
      calls.add("cutOff");
    }

    @Override
    public int openHandles() {
      return nowMillis < handlesUntilMillis ? 1 : 0;
    }
  }
}
