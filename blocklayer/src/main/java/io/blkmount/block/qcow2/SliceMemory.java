// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.bytes.BouncePool;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Off-heap memory for slices, taken from the system in larger chunks as it is needed. */
final class SliceMemory {
  /**
   * How much is taken at once, but for larger slices: enough that a system call is rare, little for
   * a small image.
   */
  private static final int CHUNK = 64 << 10;

  private final int sliceSize;
  private final int chunkSize;
  private final SliceBudget budget;

  /** Chunks of which something is idle; the last one is used first. */
  @GuardedBy("this")
  private final List<Chunk> open = new ArrayList<>();

  @GuardedBy("this")
  private long heldBytes;

  @GuardedBy("this")
  private boolean closed;

  SliceMemory(int sliceSize, SliceBudget budget) {
    this.sliceSize = sliceSize;
    this.chunkSize = Math.max(CHUNK, sliceSize);
    this.budget = budget;
  }

  /** Memory for one slice, and what it is a part of. */
  record Piece(@Nullable Chunk chunk, ByteBuffer bytes) {
    static final Piece NONE = new Piece(null, ByteBuffer.allocate(0));
  }

  /** What was taken from the system at once; guarded by its owner. */
  private static final class Chunk {
    private final ArrayDeque<Piece> idle = new ArrayDeque<>();
    private final int pieceCount;

    Chunk(int chunkSize, int sliceSize) {
      pieceCount = chunkSize / sliceSize;
      ByteBuffer whole = BouncePool.allocate(chunkSize);
      for (int i = 0; i < pieceCount; i++) {
        idle.add(new Piece(this, whole.slice(i * sliceSize, sliceSize)));
      }
    }

    boolean isUnused() {
      return idle.size() == pieceCount;
    }
  }

  /** Returns whether the next slice needs more memory than is left. */
  synchronized boolean isScarce() {
    return open.isEmpty() && !budget.hasLeft(chunkSize);
  }

  synchronized Piece take() {
    if (open.isEmpty()) {
      open.add(new Chunk(chunkSize, sliceSize));
      heldBytes += chunkSize;
      budget.took(chunkSize);
    }
    Chunk chunk = open.get(open.size() - 1);
    Piece piece = chunk.idle.removeLast();
    if (chunk.idle.isEmpty()) {
      open.remove(open.size() - 1);
    }
    return piece;
  }

  synchronized void giveBack(Piece piece) {
    Chunk chunk = piece.chunk();
    if (chunk.idle.isEmpty()) {
      open.add(chunk);
    }
    chunk.idle.add(piece);
  }

  /** Lets go of chunks of which nothing is in use; returns how many bytes that were. */
  synchronized long trim() {
    if (closed) {
      return 0;
    }
    int before = open.size();
    open.removeIf(Chunk::isUnused);
    long bytes = (long) (before - open.size()) * chunkSize;
    heldBytes -= bytes;
    budget.gaveBack(bytes);
    return bytes;
  }

  /** Leaves to others what is held; nobody takes from here on. */
  synchronized void close() {
    closed = true;
    budget.gaveBack(heldBytes);
    heldBytes = 0;
  }

  /** Returns how much is held, used or not. */
  synchronized long heldBytes() {
    return heldBytes;
  }
}
