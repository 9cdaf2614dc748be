// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.Backed;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.PagedBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A format in memory with clusters that are unallocated, zero or data; fills the edges of a new
 * cluster from its backing file. Checks the shape of the requests that it gets.
 */
final class OverlayInstance implements DriverInstance, Backed {
  private static final Support SUPPORT =
      new Support(true, false, WriteFlags.UNCHANGED, WriteFlags.MAY_UNMAP, true, true, false);

  /** What a cluster is. */
  enum State {
    UNALLOCATED,
    ZERO,
    DATA
  }

  private final BlockLimits limits;
  private final int clusterSize;
  private final PagedBytes bytes;

  @GuardedBy("this")
  private State[] clusters;

  @GuardedBy("this")
  private long length;

  private @Nullable BlockIo backing;

  /**
   * Creates an empty layer.
   *
   * @param length in bytes
   * @param clusterSize in bytes
   * @param alignment of requests
   */
  OverlayInstance(long length, int clusterSize, int alignment) {
    this.limits =
        new BlockLimits(
            alignment,
            1,
            1 << 20,
            clusterSize,
            4L * clusterSize,
            clusterSize,
            2L * clusterSize,
            clusterSize);
    this.clusterSize = clusterSize;
    this.bytes = new PagedBytes(Alignment.up(length, clusterSize));
    this.clusters = new State[(int) (Alignment.up(length, clusterSize) / clusterSize)];
    this.length = length;
    Arrays.fill(clusters, State.UNALLOCATED);
  }

  /** Returns what a cluster is. */
  synchronized State cluster(int index) {
    return clusters[index];
  }

  @Override
  public @Nullable BackingReference backingReference() {
    return null;
  }

  @Override
  public synchronized void attachBacking(@Nullable BlockIo backing) {
    this.backing = backing;
  }

  @Override
  public synchronized long length() {
    return length;
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    throw new AssertionError("a layered instance is read with readLayer");
  }

  @Override
  public synchronized long readLayer(long offset, ByteBuffer target) {
    requireAligned(offset, target.remaining(), limits.requestAlignment());
    int count = Math.min(target.remaining(), limits.maxTransfer());
    Extent run = run(offset, count);
    int runLength = (int) Math.min(run.length(), target.remaining());
    if (!run.isAllocated()) {
      return -runLength;
    }
    target.put(bytes.bytes(offset, runLength));
    return runLength;
  }

  @Override
  public synchronized long absentLength(long offset, long maxLength) {
    Extent run = run(offset, maxLength);
    return run.isAllocated() ? 0 : Math.min(run.length(), maxLength);
  }

  @Override
  public synchronized void write(long offset, ByteBuffer source, WriteFlags flags)
      throws IOException {
    int count = source.remaining();
    require(count <= limits.maxTransfer(), "too long");
    require(SUPPORT.writeFlags().has(flags), "flags " + flags);
    requireAligned(offset, count, limits.requestAlignment());
    require(offset + count <= Alignment.up(length, limits.requestAlignment()), "beyond end");
    int last = (int) ((offset + count - 1) / clusterSize);
    for (int index = (int) (offset / clusterSize); index <= last; index++) {
      allocate(index);
    }
    bytes.write(offset, source);
  }

  @GuardedBy("this")
  private void allocate(int index) throws IOException {
    if (clusters[index] == State.UNALLOCATED && backing != null) {
      ByteBuffer old = ByteBuffer.allocate(clusterSize);
      backing.read((long) index * clusterSize, old);
      bytes.write((long) index * clusterSize, old.flip());
    } else if (clusters[index] != State.DATA) {
      bytes.zero((long) index * clusterSize, clusterSize);
    }
    clusters[index] = State.DATA;
  }

  @Override
  public synchronized void writeZeroes(long offset, long count, WriteFlags flags) {
    require(count <= limits.maxZeroes(), "too long");
    require(SUPPORT.zeroFlags().has(flags), "flags " + flags);
    fill(offset, count, State.ZERO);
  }

  @Override
  public synchronized void discard(long offset, long count) {
    require(count <= limits.maxDiscard(), "too long");
    fill(offset, count, backing == null ? State.UNALLOCATED : State.ZERO);
  }

  private synchronized void fill(long offset, long count, State state) {
    boolean toEnd = offset + count == length;
    requireAligned(offset, toEnd ? 0 : count, clusterSize);
    require(offset + count <= length, "beyond end");
    int stop = (int) (Alignment.up(offset + count, clusterSize) / clusterSize);
    for (int index = (int) (offset / clusterSize); index < stop; index++) {
      clusters[index] = state;
      bytes.zero((long) index * clusterSize, clusterSize);
    }
  }

  @Override
  public synchronized Extent extentAt(long offset, long maxLength) {
    require(offset < length && maxLength > 0, "beyond end");
    Extent run = run(offset, Math.min(maxLength, length - offset));
    return run.limitedTo(maxLength);
  }

  private synchronized Extent run(long offset, long maxLength) {
    int index = (int) (offset / clusterSize);
    State state = clusters[index];
    int stop = index;
    while (stop < clusters.length && clusters[stop] == state) {
      stop++;
    }
    long count = Math.min(maxLength, (long) stop * clusterSize - offset);
    return switch (state) {
      case UNALLOCATED -> Extent.unallocated(offset, count);
      case ZERO -> Extent.zero(offset, count);
      case DATA -> Extent.data(offset, count, offset);
    };
  }

  @Override
  public void flush() {}

  @Override
  public BlockLimits limits() {
    return limits;
  }

  @Override
  public Support support() {
    return SUPPORT;
  }

  @Override
  public synchronized void truncate(long newLength, Preallocation preallocation)
      throws BlockException {
    throw new BlockException(BlockError.NOT_SUPPORTED, "fixed length");
  }

  @Override
  public void invalidate() {}

  @Override
  public void close() {}

  private static void requireAligned(long offset, long count, int alignment) {
    require(Alignment.isAligned(offset | count, alignment), "unaligned " + offset + " " + count);
  }

  private static void require(boolean rule, String problem) {
    if (!rule) {
      throw new AssertionError("caller broke the contract: " + problem);
    }
  }
}
