// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Host clusters that an entry points to no more, on their way to one reference less: to being free,
 * unless an internal snapshot or another compressed cluster has them, too.
 *
 * <p>A cluster may only be used again when the entry that pointed to it is durably gone, its space
 * has been given back, and every request that was in flight when it was dropped has ended: one of
 * those may still read it, or write to it.
 */
final class FreedClusters {
  private static final Logger LOG = System.getLogger(FreedClusters.class.getName());

  private final Metadata metadata;
  private final Refcounts refcounts;

  /** Dropped in memory only; guarded by the metadata lock, as is the other list. */
  private List<Dropped> fresh = new ArrayList<>();

  /** Durably dropped, but perhaps still in use by a request. */
  private List<Dropped> waiting = new ArrayList<>();

  private volatile int freshCount;

  private final AtomicLong freedCount = new AtomicLong();

  /**
   * One reference less to each of a run of clusters.
   *
   * @param firstCluster index of the first
   * @param clusterCount how many
   * @param epoch when the last entry that pointed there was changed
   * @param punched whether the host gets the space of what becomes free
   */
  record Dropped(long firstCluster, long clusterCount, long epoch, boolean punched) {
    /** Returns a run that is dropped in the same way. */
    Dropped run(long first, long count) {
      return new Dropped(first, count, epoch, punched);
    }

    /** Returns whether the clusters from {@code first} on, so dropped, make one run with these. */
    boolean isContinuedBy(long first, long itsEpoch, boolean itsPunched) {
      return firstCluster + clusterCount == first && epoch == itsEpoch && punched == itsPunched;
    }
  }

  FreedClusters(Metadata metadata, Refcounts refcounts) {
    this.metadata = metadata;
    this.refcounts = refcounts;
  }

  /** Does {@link #add(long, long, DiscardReason)} for what moves to another place. */
  void add(long hostOffset, long length) {
    add(hostOffset, length, DiscardReason.OTHER);
  }

  /**
   * Notes that an entry was changed and points to these clusters no more; the caller holds the
   * metadata lock and has changed the entry already.
   */
  void add(long hostOffset, long length, DiscardReason reason) {
    long first = hostOffset >>> metadata.geometry().clusterBits();
    long count = metadata.geometry().clustersTouched(hostOffset, length);
    long epoch = metadata.epochs().current();
    boolean punched = metadata.discards().passes(reason);
    int index = fresh.size() - 1;
    Dropped last = index < 0 ? null : fresh.get(index);
    if (last != null && last.isContinuedBy(first, epoch, punched)) {
      fresh.set(index, last.run(last.firstCluster(), last.clusterCount() + count));
    } else {
      fresh.add(new Dropped(first, count, epoch, punched));
    }
    freshCount = fresh.size();
  }

  /** Does {@link #addOf(long, DiscardReason)} for what moves to another place. */
  void addOf(long entry) {
    addOf(entry, DiscardReason.OTHER);
  }

  /** Does {@link #add} for the host clusters of an L2 entry that was overwritten, if it had any. */
  void addOf(long entry, DiscardReason reason) {
    if (metadata.data().isExternal()) {
      return; // clusters of the data file have no refcounts
    }
    switch (metadata.kind(entry)) {
      case NORMAL, ZERO_ALLOCATED ->
          add(L2Entry.hostOffset(entry), metadata.geometry().clusterSize(), reason);
      case COMPRESSED -> {
        CompressedCluster old = CompressedCluster.decode(entry, metadata.geometry().clusterBits());
        add(old.hostOffset(), old.lengthBytes(), reason);
      }
      case UNALLOCATED, ZERO_PLAIN -> {}
    }
  }

  /** Returns how many runs wait for a write-back; a hint when no lock is held. */
  int freshCount() {
    return freshCount;
  }

  /** Returns how many clusters have lost a reference since the image was opened. */
  long freedCount() {
    return freedCount.get();
  }

  /** Returns whether clusters wait for a write-back or for requests in flight. */
  boolean isAnyLeft() {
    metadata.lock().lock();
    try {
      return !fresh.isEmpty() || !waiting.isEmpty();
    } finally {
      metadata.lock().unlock();
    }
  }

  /** Takes what was dropped so far; the caller holds the metadata lock and writes the entries. */
  List<Dropped> takeFresh() {
    List<Dropped> taken = fresh;
    fresh = new ArrayList<>();
    freshCount = 0;
    return taken;
  }

  /**
   * Puts back what {@link #takeFresh} gave, after a failure; the caller holds the metadata lock.
   */
  void putBack(List<Dropped> taken) {
    taken.addAll(fresh);
    fresh = taken;
    freshCount = fresh.size();
  }

  /** Notes that the entries are durably changed; the caller holds the metadata lock. */
  void becameDurable(List<Dropped> taken) {
    waiting.addAll(taken);
  }

  /**
   * Frees what nobody can see any more.
   *
   * @return whether any refcount went down
   * @throws IOException if a refcount cannot be changed; what is left is tried again next time
   */
  boolean reclaim() throws IOException {
    List<Dropped> taken = takeReady();
    if (taken.isEmpty()) {
      return false;
    }
    Deque<Dropped> ready = new ArrayDeque<>(taken);
    try {
      while (!ready.isEmpty()) {
        freeStart(ready);
      }
    } finally {
      keep(ready);
    }
    return true;
  }

  /** Frees what one slice of refcounts counts of the first run; the rest of it stays first. */
  private void freeStart(Deque<Dropped> ready) throws IOException {
    Dropped dropped = ready.removeFirst();
    long first = dropped.firstCluster();
    long end = first + dropped.clusterCount();
    long stop = Math.min(end, first - first % refcounts.perSlice() + refcounts.perSlice());
    if (stop < end) {
      ready.addFirst(dropped.run(stop, end - stop));
    }
    try {
      free(first, stop, dropped.punched());
    } catch (CorruptImageException e) {
      throw e; // tried again it would fail again: what is wrong with it, check finds as a leak
    } catch (IOException | RuntimeException | Error e) {
      ready.addFirst(dropped.run(first, stop - first));
      throw e;
    }
  }

  private List<Dropped> takeReady() {
    metadata.lock().lock();
    try {
      if (waiting.isEmpty()) {
        return List.of();
      }
      metadata.epochs().advance();
      List<Dropped> ready = new ArrayList<>();
      List<Dropped> later = new ArrayList<>();
      for (Dropped dropped : waiting) {
        (metadata.epochs().hasPassed(dropped.epoch()) ? ready : later).add(dropped);
      }
      waiting = later;
      return ready;
    } finally {
      metadata.lock().unlock();
    }
  }

  private void keep(Collection<Dropped> left) {
    if (!left.isEmpty()) {
      metadata.lock().lock();
      try {
        waiting.addAll(left);
      } finally {
        metadata.lock().unlock();
      }
    }
  }

  private void free(long firstCluster, long end, boolean punched) throws IOException {
    int bits = metadata.geometry().clusterBits();
    metadata
        .guard()
        .requireNotOurs("dropped cluster", firstCluster << bits, (end - firstCluster) << bits);
    leaveTail(firstCluster, end);
    for (long first = firstCluster, next; first < end; first = next) {
      boolean last = refcounts.get(first) == 1;
      next = first + 1;
      while (next < end && (refcounts.get(next) == 1) == last) {
        next++;
      }
      if (last) {
        metadata
            .guard()
            .requireNotSnapshots("dropped cluster", first << bits, (next - first) << bits);
        if (punched) {
          punch(first, next - first);
        }
      }
    }
    metadata.decompressed().forget(firstCluster << bits, (end - firstCluster) << bits);
    refcounts.adjust(firstCluster, end - firstCluster, -1);
    freedCount.addAndGet(end - firstCluster);
  }

  /** From here on nobody adds a reference to a cluster that is about to be punched. */
  private void leaveTail(long firstCluster, long end) {
    metadata.lock().lock();
    try {
      metadata.compressedTail().leave(firstCluster, end);
    } finally {
      metadata.lock().unlock();
    }
  }

  /** Gives space back if the file's discard mode says so; a failure costs space, not data. */
  void punch(long firstCluster, long clusterCount) {
    int bits = metadata.geometry().clusterBits();
    try {
      metadata.file().discard(firstCluster << bits, clusterCount << bits);
    } catch (IOException e) {
      LOG.log(
          Level.WARNING,
          "space of freed clusters not given back: host offset 0x{0} length {1}: {2}",
          Long.toHexString(firstCluster << bits),
          clusterCount << bits,
          e.getMessage());
    }
  }
}
