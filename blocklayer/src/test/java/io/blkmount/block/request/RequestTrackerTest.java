// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.testing.Images;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RequestTrackerTest {
  private final RequestTracker tracker = new RequestTracker();

  @Test
  void requestsThatOverlapShareTheirRange() {
    try (TrackedRequest first = tracker.begin(0, 10);
        TrackedRequest second = tracker.begin(5, 15)) {
      assertThat(first.isSerialising() || second.isSerialising()).isFalse();
    }
    tracker.drain();
  }

  @Test
  void serialisingRequestsThatDoNotOverlapRunAtOnce() {
    try (TrackedRequest first = tracker.beginSerialising(0, 10);
        TrackedRequest second = tracker.beginSerialising(10, 20);
        TrackedRequest third = tracker.begin(20, 30)) {
      assertThat(first.conflictsWith(second) || second.conflictsWith(third)).isFalse();
    }
  }

  @Test
  void requestWaitsForTheSerialisingOneThatItOverlaps() throws Exception {
    TrackedRequest serialising = tracker.beginSerialising(0, 10);
    TestThread<Boolean> newcomer = passing(9, 12, false).awaitBlocked();

    serialising.close();

    newcomer.join();
  }

  @Test
  void serialisingRequestWaitsForEveryOneThatItOverlaps() throws Exception {
    TrackedRequest first = tracker.begin(0, 10);
    TrackedRequest second = tracker.begin(10, 20);
    TestThread<Boolean> serialising = passing(5, 15, true).awaitBlocked();

    first.close();
    serialising.awaitBlocked();
    second.close();

    serialising.join();
  }

  @Test
  void newcomersDoNotStarveOneThatWaits() throws Exception {
    TrackedRequest early = tracker.begin(0, 10);
    Holder waiting = new Holder(0, 10, true);
    waiting.thread.awaitBlocked();
    TestThread<Boolean> newcomer = passing(0, 10, false).awaitBlocked();

    early.close();
    waiting.awaitEntered();
    newcomer.awaitBlocked();
    waiting.leave();

    waiting.thread.join();
    newcomer.join();
  }

  @Test
  void requestInsideAnotherOfItsThreadNeverWaitsForOneThatWaits() throws Exception {
    TrackedRequest outer = tracker.begin(0, 10);
    TestThread<Boolean> waiting = passing(0, 10, true).awaitBlocked();

    tracker.begin(0, 5).close(); // would be a deadlock: the other one waits for outer

    waiting.awaitBlocked();
    outer.close();
    waiting.join();
  }

  @Test
  void anOvertakenRequestWaitsForTheOneThatOvertookIt() throws Exception {
    Holder early = new Holder(0, 10, false);
    early.awaitEntered();
    TrackedRequest elsewhere = tracker.begin(100, 110);
    TestThread<Boolean> waiting = passing(0, 10, true).awaitBlocked();
    TrackedRequest overtaking = tracker.begin(0, 10);

    early.leave();
    early.thread.join();
    waiting.awaitBlocked();
    overtaking.close();

    waiting.join();
    elsewhere.close();
  }

  @Test
  void waitingForItselfIsRefusedInPlaceOfHanging() {
    TrackedRequest outer = tracker.beginSerialising(0, 10);

    assertThatThrownBy(() -> tracker.begin(5, 6).close())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "request offset=5 length=1 would wait for its own thread's"
                + " serialising request offset=0 length=10");

    outer.close();
    tracker.drain();
  }

  @Test
  void serialisingRequestWaitsForAsManyAsOneThreadHolds() throws Exception {
    List<TrackedRequest> held = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      held.add(tracker.begin(i, i + 1));
    }
    TestThread<Boolean> serialising = passing(0, 100, true).awaitBlocked();

    for (TrackedRequest request : held.subList(0, 99)) {
      request.close();
    }
    serialising.awaitBlocked();
    held.get(99).close();

    serialising.join();
    tracker.drain();
  }

  @Test
  void drainWaitsUntilNothingIsInFlight() throws Exception {
    TrackedRequest first = tracker.begin(0, 10);
    TrackedRequest second = tracker.beginSerialising(20, 30);
    TestThread<Boolean> drain = TestThread.run(tracker::drain).awaitBlocked();

    first.close();
    drain.awaitBlocked();
    second.close();

    drain.join();
  }

  @Test
  void drainByOneWhoHoldsARequestIsRefused() {
    try (TrackedRequest request = tracker.begin(0, 10)) {
      assertThatThrownBy(tracker::drain).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void serialisingRequestsAreAloneUnderLoad() throws Exception {
    AtomicIntegerArray users = new AtomicIntegerArray(16);
    List<TestThread<Boolean>> threads = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      long seed = i;
      threads.add(TestThread.run(() -> useSlots(users, new SplittableRandom(seed))));
    }
    for (TestThread<Boolean> thread : threads) {
      thread.join();
    }
    tracker.drain();
  }

  /** A slot counts its users, a serialising one as a thousand. */
  private void useSlots(AtomicIntegerArray users, SplittableRandom random) {
    for (int n = 0; n < 20_000 * Images.SCALE; n++) {
      boolean serialising = random.nextInt(3) == 0;
      int first = random.nextInt(16);
      int end = first + 1 + random.nextInt(16 - first);
      int weight = serialising ? 1000 : 1;
      try (TrackedRequest request =
          serialising ? tracker.beginSerialising(first, end) : tracker.begin(first, end)) {
        for (int slot = first; slot < end; slot++) {
          int sum = users.addAndGet(slot, weight);
          assertThat(serialising ? sum == 1000 : sum < 1000).as("users of a slot").isTrue();
        }
        for (int slot = first; slot < end; slot++) {
          users.addAndGet(slot, -weight);
        }
      }
    }
  }

  private TestThread<Boolean> passing(long offset, long end, boolean serialising) {
    return TestThread.run(() -> begin(offset, end, serialising).close());
  }

  private TrackedRequest begin(long offset, long end, boolean serialising) {
    return serialising ? tracker.beginSerialising(offset, end) : tracker.begin(offset, end);
  }

  /** A thread that holds a request until it is told to leave. */
  private final class Holder {
    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch leave = new CountDownLatch(1);
    private final TestThread<Boolean> thread;

    Holder(long offset, long end, boolean serialising) {
      thread =
          TestThread.run(
              () -> {
                try (TrackedRequest request = begin(offset, end, serialising)) {
                  entered.countDown();
                  leave.await();
                }
              });
    }

    void awaitEntered() throws InterruptedException {
      entered.await();
    }

    void leave() {
      leave.countDown();
    }
  }
}
