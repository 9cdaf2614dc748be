// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Copies of slices as they were at one moment, to be written while the slices themselves go on
 * changing: an entry that is linked after that moment must not reach the disk with them, because
 * its data may not be durable yet.
 */
final class DirtySlices {
  private static final Comparator<Slice> BY_PLACE = Comparator.comparingLong(Slice::hostOffset);

  private final MetadataCache cache;
  private final List<Slice> slices;
  private final ByteBuffer copies;
  private final BouncePool.Bounce bounce;

  private DirtySlices(MetadataCache cache, List<Slice> slices) {
    this.cache = cache;
    this.slices = slices;
    this.bounce = BouncePool.take(Math.multiplyExact(slices.size(), cache.sliceSize()));
    this.copies = bounce.buffer();
  }

  static DirtySlices copyOf(MetadataCache cache, List<Slice> dirty) {
    List<Slice> sorted = new ArrayList<>(dirty);
    sorted.sort(BY_PLACE);
    DirtySlices result = new DirtySlices(cache, sorted);
    for (Slice slice : sorted) {
      result.copies.put(slice.buffer().duplicate());
    }
    return result;
  }

  /** Returns the slices, in order of host offset. */
  List<Slice> slices() {
    return slices;
  }

  /** Calls the slices clean from the moment of the copy on; the caller still holds the lock. */
  void commit() {
    cache.becameClean(this);
  }

  boolean isEmpty() {
    return slices.isEmpty();
  }

  /** Writes the copies, neighbours in one request. */
  void writeTo(BlockIo file) throws IOException {
    int sliceSize = cache.sliceSize();
    for (int first = 0, next; first < slices.size(); first = next) {
      next = first + 1;
      while (next < slices.size() && isNeighbour(next)) {
        next++;
      }
      ByteBuffer run = copies.slice(first * sliceSize, (next - first) * sliceSize);
      file.write(slices.get(first).hostOffset(), run, WriteFlags.NONE);
    }
  }

  private boolean isNeighbour(int index) {
    long expected = slices.get(index - 1).hostOffset() + cache.sliceSize();
    return slices.get(index).hostOffset() == expected;
  }

  /** Calls all of it dirty again, after a failed write; the caller holds the metadata lock. */
  void markDirtyAgain() {
    slices.forEach(cache::markDirty);
  }

  /** Gives memory and pins back. */
  void release() {
    slices.forEach(Slice::close);
    bounce.close();
  }
}
