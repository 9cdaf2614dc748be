// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Slices of L2 tables or of refcount blocks, by host offset.
 *
 * <p>Finding a cached slice takes no lock, and with {@link #peek} changes nothing that threads
 * share. A missing one is read by the thread that wants it, with no lock held; others that want the
 * same one wait for that read. Only clean slices are thrown out: when all are dirty or in use the
 * cache grows, and {@link #dirtyCount} tells the writers to write back.
 */
final class MetadataCache {
  /** So many bytes of slices a cache may have however little memory is left. */
  private static final int LEAST_BYTES = 64 << 10;

  /** QEMU's least; a request may have one in use while it wants another. */
  private static final int LEAST_SLICES = 2;

  private final String what;
  private final Tables tables;
  private final int leastSlices;
  private final int maxSlices;
  private final SliceMemory memory;
  private final SliceTable slices = new SliceTable();

  @GuardedBy("ring")
  private final List<Slice> ring = new ArrayList<>();

  @GuardedBy("ring")
  private int hand;

  /** Slices newer than the disk; guarded by the metadata lock of the image. */
  private final ArrayList<Slice> dirty = new ArrayList<>();

  private volatile int dirtyCount;

  /**
   * Where what is cached lies.
   *
   * @param file that it is read from
   * @param clusterSize bytes of each table
   * @param sliceSize bytes of it that are cached as one piece, of which a table has a whole number
   */
  record Tables(BlockIo file, int clusterSize, int sliceSize) {}

  /**
   * Creates an empty cache.
   *
   * @param what the format's name for what is cached, for messages
   * @param tables where it lies
   * @param maxBytes how much memory it may take, except for what is dirty or in use
   * @param budget what it shares with other caches
   */
  MetadataCache(String what, Tables tables, long maxBytes, SliceBudget budget) {
    this.what = what;
    this.tables = tables;
    this.memory = new SliceMemory(tables.sliceSize, budget);
    this.leastSlices = Math.max(LEAST_SLICES, LEAST_BYTES / tables.sliceSize);
    this.maxSlices =
        (int) Math.max(LEAST_SLICES, Math.min(Integer.MAX_VALUE, maxBytes / tables.sliceSize));
  }

  int sliceSize() {
    return tables.sliceSize;
  }

  int maxSlices() {
    return maxSlices;
  }

  /**
   * Returns the slice at {@code hostOffset} with a pin on it, for a try-with-resources block.
   *
   * @param hostOffset of the slice, a multiple of the slice size
   * @throws CorruptImageException if the table lies past the end of the file
   * @throws IOException if it cannot be read
   */
  Slice pin(long hostOffset) throws IOException {
    while (true) {
      Slice cached = slices.find(hostOffset);
      if (cached == null) {
        Slice loaded = load(hostOffset);
        if (loaded != null) {
          return loaded;
        }
      } else if (cached.tryPin()) {
        return awaited(cached);
      } else {
        Thread.onSpinWait(); // it is on its way out: a few instructions of another thread
      }
    }
  }

  /**
   * Returns the slice at {@code hostOffset} if it is in memory, else null. It has no pin: what is
   * read from it holds only if {@link Slice#isCurrent} says so after that.
   */
  @Nullable Slice peek(long hostOffset) {
    Slice cached = slices.find(hostOffset);
    return cached != null && cached.isLoaded() ? cached : null;
  }

  private static Slice awaited(Slice slice) throws IOException {
    try {
      slice.awaitLoaded();
      return slice;
    } catch (IOException e) {
      slice.close();
      throw e;
    }
  }

  /** Reads a missing slice; null when another thread was faster. */
  private @Nullable Slice load(long hostOffset) throws IOException {
    makeRoom();
    Slice fresh = new Slice(hostOffset, memory.take());
    if (!slices.add(fresh)) {
      memory.giveBack(fresh.memory());
      return null;
    }
    IOException failure = readAndKeep(fresh);
    if (failure != null) {
      slices.remove(fresh);
    }
    fresh.finishLoading(failure);
    if (failure != null) {
      memory.giveBack(fresh.memory()); // nobody reads what was not loaded
      throw failure;
    }
    return fresh;
  }

  /** Reads a slice and enters it for eviction; returns what stopped it, whatever that was. */
  private @Nullable IOException readAndKeep(Slice slice) {
    try {
      long table = slice.hostOffset() & -tables.clusterSize;
      if (table >= tables.file.length()) {
        return new CorruptImageException(
            what, table, "past the end of the file, whose length is " + tables.file.length());
      }
      tables.file.read(slice.hostOffset(), slice.buffer().duplicate());
      synchronized (ring) {
        ring.add(slice);
      }
      return null;
    } catch (IOException e) {
      return e;
    } catch (RuntimeException | Error e) {
      return new IOException(what + " cannot be read: " + e, e);
    }
  }

  private void makeRoom() {
    synchronized (ring) {
      int steps = 2 * ring.size();
      while (isFull() && steps-- > 0) {
        hand = hand >= ring.size() ? 0 : hand;
        if (!evictUnused(hand)) {
          hand++;
        }
      }
    }
  }

  @GuardedBy("ring")
  private boolean isFull() {
    int count = ring.size();
    return count >= maxSlices || (count >= leastSlices && memory.isScarce());
  }

  /** Throws a slice out unless it is dirty, pinned, or was used since it was last asked. */
  @GuardedBy("ring")
  private boolean evictUnused(int index) {
    Slice slice = ring.get(index);
    if (!slice.tryEvict()) {
      return false;
    }
    Slice last = ring.remove(ring.size() - 1);
    if (last != slice) {
      ring.set(index, last);
    }
    slices.remove(slice);
    memory.giveBack(slice.memory());
    return true;
  }

  /**
   * Throws out the clean slices that nobody has used since the last call, and lets go of their
   * memory.
   *
   * @return how many bytes the system gets back
   */
  long dropUnused() {
    synchronized (ring) {
      for (int i = ring.size() - 1; i >= 0; i--) {
        evictUnused(i);
      }
      return memory.trim();
    }
  }

  /** Returns how much memory the cache holds, in bytes. */
  long heldBytes() {
    return memory.heldBytes();
  }

  /**
   * Notes that a pinned slice is newer than the disk; the caller holds the metadata lock. From then
   * on it has a pin of its own, which goes with the copy when it is written.
   */
  void markDirty(Slice slice) {
    if (!slice.isDirty()) {
      dirty.add(slice);
      slice.pinAgain();
      slice.setDirty(true);
      dirtyCount = dirty.size();
    }
  }

  /** Returns how many slices are newer than the disk; a hint when no lock is held. */
  int dirtyCount() {
    return dirtyCount;
  }

  /**
   * Copies what is dirty, in order of host offset; the caller holds the metadata lock and calls
   * {@link DirtySlices#commit} before it lets go of it. Until then nothing has changed.
   */
  DirtySlices copyDirty() {
    return DirtySlices.copyOf(this, dirty);
  }

  /** Calls copied slices clean; their pins go with the copies. The metadata lock is held. */
  void becameClean(DirtySlices copies) {
    copies.slices().forEach(slice -> slice.setDirty(false));
    dirty.clear();
    dirtyCount = 0;
  }

  /** Forgets all clean slices; the caller lets no request run. */
  void clear() {
    synchronized (ring) {
      if (dirtyCount > 0) {
        throw new IllegalStateException(what + " cache: " + dirtyCount + " slices are not written");
      }
      dropUnused(); // forgets the last uses
      dropUnused();
      if (!ring.isEmpty()) {
        throw new IllegalStateException(what + " cache: " + ring.size() + " slices are in use");
      }
    }
  }

  /** Counts its memory as given back; the image is closed, and nobody asks again. */
  void close() {
    memory.close();
  }
}
