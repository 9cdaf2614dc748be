// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Which guest clusters are being given host clusters, so that two writes never allocate the same
 * one. Stands for QEMU's {@code cluster_allocs} and {@code handle_dependencies()}.
 *
 * <p>Whoever waits here holds neither the metadata lock nor a reservation of its own.
 */
final class AllocationTracker {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition released = lock.newCondition();

  @GuardedBy("lock")
  private final List<Reservation> reservations = new ArrayList<>();

  /** Guest clusters that belong to one write until it is closed. */
  final class Reservation implements AutoCloseable {
    private final long first;
    private final long end;

    private Reservation(long first, long end) {
      this.first = first;
      this.end = end;
    }

    int clusterCount() {
      return (int) (end - first);
    }

    @Override
    public void close() {
      lock.lock();
      try {
        reservations.remove(this);
        released.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /**
   * Reserves guest clusters from {@code firstCluster} on: at most {@code clusterCount}, fewer when
   * somebody else has one of the later ones. Waits while somebody has the first.
   */
  Reservation reserve(long firstCluster, int clusterCount) {
    lock.lock();
    try {
      while (true) {
        long end = freeUntil(firstCluster, firstCluster + clusterCount);
        if (end > firstCluster) {
          Reservation mine = new Reservation(firstCluster, end);
          reservations.add(mine);
          return mine;
        }
        released.awaitUninterruptibly();
      }
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private long freeUntil(long first, long end) {
    long free = end;
    for (int i = 0; i < reservations.size(); i++) { // without the garbage of an iterator
      Reservation other = reservations.get(i);
      if (other.first < free && first < other.end) {
        free = Math.max(first, other.first);
      }
    }
    return free;
  }
}
