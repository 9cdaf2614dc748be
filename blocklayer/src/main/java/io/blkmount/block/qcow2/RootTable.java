// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.BitSet;

/**
 * The L1 table or the refcount table: an array of 64-bit entries that is wholly in memory, off the
 * heap, and written back by sectors.
 *
 * <p>Entries are read without a lock and changed under the metadata lock.
 */
final class RootTable {
  private static final VarHandle ENTRIES =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  /** What is written at once: the unit that a disk writes whole or not at all. */
  private static final int SECTOR = 512;

  private static final int SECTOR_ENTRIES = SECTOR >> ClusterGeometry.ENTRY_SHIFT;

  /** A direct buffer is dear, and almost every flush finds the root tables clean. */
  private static final ByteBuffer NO_SECTORS = ByteBuffer.allocate(0);

  private final long hostOffset;
  private final int entryCount;
  private final ByteBuffer bytes;
  private final BitSet dirtySectors = new BitSet();

  /**
   * Creates a table of zeros.
   *
   * @param hostOffset where it lies in the file
   * @param entryCount how many entries it has
   */
  RootTable(long hostOffset, int entryCount) {
    this.hostOffset = hostOffset;
    this.entryCount = entryCount;
    this.bytes = BouncePool.allocate(Math.multiplyExact(entryCount, 8));
  }

  /** Returns a table as the file holds it. */
  static RootTable read(BlockIo file, long hostOffset, int entryCount) throws IOException {
    RootTable table = new RootTable(hostOffset, entryCount);
    if (entryCount > 0) {
      file.read(hostOffset, table.bytes.duplicate());
    }
    return table;
  }

  long hostOffset() {
    return hostOffset;
  }

  int entryCount() {
    return entryCount;
  }

  int byteCount() {
    return bytes.capacity();
  }

  long entry(int index) {
    return (long) ENTRIES.getAcquire(bytes, index << ClusterGeometry.ENTRY_SHIFT);
  }

  /** Changes an entry; the caller holds the metadata lock. */
  void set(int index, long entry) {
    ENTRIES.setRelease(bytes, index << ClusterGeometry.ENTRY_SHIFT, entry);
    dirtySectors.set(index / SECTOR_ENTRIES);
  }

  /** Returns a copy of the whole table, padded with zeros to {@code length} bytes. */
  ByteBuffer padded(int length) {
    ByteBuffer copy = BouncePool.allocate(length);
    copy.put(bytes.duplicate());
    return copy.rewind();
  }

  /** Returns whether the disk has every entry; the caller holds the metadata lock. */
  boolean isClean() {
    return dirtySectors.isEmpty();
  }

  /** Takes over every entry of a smaller table; the caller holds the metadata lock. */
  void takeOver(RootTable smaller) {
    for (int i = 0; i < smaller.entryCount; i++) {
      long entry = smaller.entry(i);
      if (entry != entry(i)) {
        set(i, entry);
      }
    }
  }

  /** Copies what is dirty and calls it clean; the caller holds the metadata lock. */
  Dirty takeDirty() {
    Dirty dirty = copyDirty();
    dirty.commit();
    return dirty;
  }

  /**
   * Copies what is dirty; the caller holds the metadata lock and calls {@link Dirty#commit} before
   * it lets go of it. Until then nothing has changed.
   */
  Dirty copyDirty() {
    BitSet sectors = (BitSet) dirtySectors.clone();
    if (sectors.isEmpty()) {
      return new Dirty(this, sectors, NO_SECTORS);
    }
    ByteBuffer copies = ByteBuffer.allocateDirect(sectors.cardinality() * SECTOR);
    sectors.stream().forEach(sector -> copies.put(sector(sector)));
    return new Dirty(this, sectors, copies.flip());
  }

  private ByteBuffer sector(int sector) {
    int start = sector * SECTOR;
    return bytes.slice(start, Math.min(SECTOR, bytes.capacity() - start));
  }

  /**
   * Sectors of a table as they were at one moment.
   *
   * @param table whose they are
   * @param sectors which
   * @param copies their bytes, one after the other; the last sector of a table may be short
   */
  record Dirty(RootTable table, BitSet sectors, ByteBuffer copies) {
    boolean isEmpty() {
      return sectors.isEmpty();
    }

    /** Calls the sectors clean from the moment of the copy on; the caller still holds the lock. */
    void commit() {
      table.dirtySectors.andNot(sectors);
    }

    /** Fails if one of the sectors lies in a cluster that holds something else, too. */
    void requireArea(OverlapGuard guard, OverlapGuard.Area area) throws CorruptImageException {
      for (int i = sectors.nextSetBit(0); i >= 0; i = sectors.nextSetBit(i + 1)) {
        guard.requireArea(table.hostOffset + (long) i * SECTOR, area);
      }
    }

    /** Writes the copies to their places. */
    void writeTo(BlockIo file) throws IOException {
      int at = 0;
      for (int first = sectors.nextSetBit(0); first >= 0; ) {
        int end = sectors.nextClearBit(first);
        int length = Math.min((end - first) * SECTOR, copies.limit() - at);
        file.write(
            table.hostOffset + (long) first * SECTOR, copies.slice(at, length), WriteFlags.NONE);
        at += length;
        first = sectors.nextSetBit(end);
      }
    }

    /** Calls all of it dirty again, after a failed write; the caller holds the metadata lock. */
    void markDirtyAgain() {
      table.dirtySectors.or(sectors);
    }
  }
}
