// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.crypto.SectorCipher;
import io.blkmount.block.driver.Backed;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.BitmapKeeper;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.InternalSnapshot;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.VmStateStore;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.driver.WriteObserver;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** An opened qcow2 image: each request enters an epoch, is served, and leaves it. */
final class Qcow2Image
    implements DriverInstance, Backed, Snapshottable, VmStateStore, BitmapKeeper, WriteObserver {
  private static final WriteFlags WRITE_FLAGS = WriteFlags.UNCHANGED;
  private static final Support WRITABLE = support(true, WRITE_FLAGS);
  private static final Support COMPRESSIBLE =
      support(true, WRITE_FLAGS.with(WriteFlags.COMPRESSED));
  private static final Support NOT_WRITABLE = support(false, WRITE_FLAGS);

  private final Metadata metadata;
  private final Qcow2Parts parts;
  private final Corruption corruption;
  private final FirstWrite firstWrite;
  private final Qcow2Bitmaps bitmaps;
  private final BitmapOperations bitmapOperations;
  private final @Nullable BackingReference backingReference;
  private final BlockLimits limits;
  private final Support whenWritable;
  private @Nullable CacheCleaning cleaning;

  Qcow2Image(
      Metadata metadata,
      Qcow2Parts parts,
      Corruption corruption,
      @Nullable BackingReference backingReference,
      @Nullable BitmapsPointer bitmapsPointer) {
    this.metadata = metadata;
    this.parts = parts;
    this.corruption = corruption;
    this.firstWrite = new FirstWrite(metadata, bitmapsPointer != null);
    this.bitmaps =
        new Qcow2Bitmaps(metadata, corruption, firstWrite, parts.bitmaps(), bitmapsPointer);
    this.bitmapOperations = new BitmapOperations(metadata, bitmaps);
    this.backingReference = backingReference;
    this.limits = limits(metadata);
    this.whenWritable = isCompressible(metadata.header()) ? COMPRESSIBLE : WRITABLE;
  }

  /** Reads the bitmaps, which have to record the first write already. */
  void loadBitmaps() throws IOException {
    bitmaps.load();
  }

  /** Lets go, from now on, of cached metadata that is not used; at most one call, at open. */
  void cleanCaches(long intervalSeconds, Alarm clock) {
    cleaning = new CacheCleaning(metadata, intervalSeconds, clock);
  }

  private static boolean isCompressible(Qcow2Header header) {
    return header.cryptMethod() == Qcow2Header.CRYPT_NONE
        && !header.hasIncompatible(FeatureBits.EXTERNAL_DATA_FILE);
  }

  private static BlockLimits limits(Metadata metadata) {
    ClusterGeometry geometry = metadata.geometry();
    BlockLimits limits = BlockLimits.ofClusters(geometry.clusterSize(), geometry.subclusterSize());
    return metadata.data().isEncrypted()
        ? limits.withRequestAlignment(SectorCipher.SECTOR_SIZE)
        : limits;
  }

  private static Support support(boolean writable, WriteFlags writeFlags) {
    WriteFlags zeroFlags =
        WriteFlags.MAY_UNMAP.with(WriteFlags.NO_FALLBACK).with(WriteFlags.UNCHANGED);
    return new Support(writable, false, writeFlags, zeroFlags, true, true, true);
  }

  Metadata metadata() {
    return metadata;
  }

  Qcow2Parts parts() {
    return parts;
  }

  @Override
  public long length() {
    return metadata.length();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    long at = offset;
    while (target.hasRemaining()) {
      long served = readLayer(at, target);
      if (served < 0) {
        served = -served;
        Zeroes.fill(target.slice(target.position(), (int) served));
        target.position(target.position() + (int) served);
      }
      at += served;
    }
  }

  @Override
  public long readLayer(long offset, ByteBuffer target) throws IOException {
    long epoch = metadata.epochs().enter();
    try {
      ClusterRun run = parts.lookup().find(offset, target.remaining());
      if (run.kind() == L2Entry.Kind.UNALLOCATED) {
        return -run.length();
      }
      if (run.kind() == L2Entry.Kind.COMPRESSED) {
        return parts.compressed().read(run, target);
      }
      readRun(run, target);
      return run.length();
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } finally {
      metadata.epochs().leave(epoch);
    }
  }

  private void readRun(ClusterRun run, ByteBuffer target) throws IOException {
    int limit = target.limit();
    target.limit(target.position() + (int) run.length());
    try {
      parts.content().read(run, run.guestOffset(), target);
    } finally {
      target.limit(limit);
    }
  }

  @Override
  public long absentLength(long offset, long maxLength) throws IOException {
    long epoch = metadata.epochs().enter();
    try {
      return parts.lookup().unallocatedLength(offset, maxLength);
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } finally {
      metadata.epochs().leave(epoch);
    }
  }

  @Override
  public Extent extentAt(long offset, long maxLength) throws IOException {
    long epoch = metadata.epochs().enter();
    try {
      return refined(parts.lookup().find(offset, maxLength).toExtent());
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } finally {
      metadata.epochs().leave(epoch);
    }
  }

  /**
   * Finds the holes of an external data file, all of which may be mapped. What is encrypted is
   * nowhere stored as it is, and its holes are no zeros.
   */
  private Extent refined(Extent mapped) throws IOException {
    if (metadata.data().isEncrypted()) {
      return mapped.withoutHostOffset();
    }
    if (!metadata.data().isExternal() || mapped.kind() != Extent.Kind.DATA) {
      return mapped;
    }
    ChildOpener.Child file = metadata.data().file();
    if (mapped.hostOffset() >= file.length()) {
      return Extent.zero(mapped.offset(), mapped.length());
    }
    Extent stored = file.extentAt(mapped.hostOffset(), mapped.length());
    return stored.readsAsZero()
        ? Extent.zero(mapped.offset(), stored.length())
        : mapped.limitedTo(stored.length());
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    int start = source.position();
    if (flags.has(WriteFlags.COMPRESSED)) {
      change(() -> parts.compressedWriter().write(offset, source.position(start)));
    } else {
      change(new Write(parts.writer(), offset, source, start));
    }
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) throws IOException {
    long end = changeEnd(offset + length);
    change(() -> parts.zeroClusters().zero(offset, end, flags));
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    long end = changeEnd(offset + length);
    change(() -> parts.zeroClusters().discard(offset, end));
  }

  /** The last cluster of the disk may be cut off: it is a whole one all the same. */
  private long changeEnd(long guestEnd) {
    ClusterGeometry geometry = metadata.geometry();
    return guestEnd == metadata.length()
        ? geometry.clusterEnd(guestEnd)
        : geometry.subclusterEnd(guestEnd);
  }

  @Override
  public void reserve(long offset, long length) throws IOException {
    change(() -> parts.reservation().reserve(offset, offset + length));
  }

  @Override
  public void truncate(long length, Preallocation preallocation) throws IOException {
    change(
        () -> {
          bitmaps.prepareResize(length);
          parts.resizer().truncate(length, preallocation);
          bitmaps.resize(metadata.length());
        });
  }

  @Override
  public BitmapStore bitmapStore() {
    return bitmapOperations;
  }

  @Override
  public void changed(long offset, long length) {
    bitmaps.changed(offset, length);
  }

  @Override
  public boolean isWatching() {
    return bitmaps.isWatching();
  }

  /** Gives all of a new disk its clusters. */
  void preallocate(Preallocation mode) throws IOException {
    long end = metadata.geometry().clusterEnd(metadata.length());
    change(() -> parts.resizer().preallocate(0, end, mode));
  }

  /** Maps all of a raw data file, as a new image needs it. */
  void mapData() throws IOException {
    change(() -> parts.dataFile().map(0, metadata.length()));
  }

  /** A change of the image, which may be made again from the start. */
  private interface Change {
    void run() throws IOException;
  }

  /** A class of its own, because making a lambda object is slow before the last compiler is on. */
  private record Write(ClusterWriter writer, long offset, ByteBuffer source, int start)
      implements Change {
    @Override
    public void run() throws IOException {
      writer.write(offset, source.position(start));
    }
  }

  /** Makes a change; once more if there was no space, but clusters were on their way to be free. */
  private void change(Change change) throws IOException {
    corruption.requireWritable();
    firstWrite.prepare();
    bitmaps.prepare();
    long freedBefore = parts.freed().freedCount();
    try {
      attempt(change);
    } catch (BlockException full) {
      if (full.error() != BlockError.NO_SPACE || !hasFreed(freedBefore, full)) {
        throw full;
      }
      attempt(change);
    }
  }

  private boolean hasFreed(long freedBefore, BlockException full) {
    try {
      writeMetadata(parts.writeback()::freeDropped);
      return parts.freed().freedCount() > freedBefore;
    } catch (IOException e) {
      full.addSuppressed(e);
      return false;
    }
  }

  private void attempt(Change change) throws IOException {
    long epoch = metadata.epochs().enter();
    try {
      change.run();
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } finally {
      metadata.epochs().leave(epoch);
    }
  }

  @Override
  public List<InternalSnapshot> snapshots() throws IOException {
    return parts.snapshots().list();
  }

  @Override
  public InternalSnapshot createSnapshot(NewSnapshot snapshot) throws IOException {
    return reorganize(() -> parts.snapshots().create(snapshot));
  }

  @Override
  public void applySnapshot(String idOrName) throws IOException {
    reorganize(
        () -> {
          bitmaps.requireNone("go back to a snapshot");
          parts.snapshots().apply(idOrName);
          return true;
        });
  }

  @Override
  public void deleteSnapshot(String idOrName) throws IOException {
    reorganize(
        () -> {
          parts.snapshots().delete(idOrName);
          return true;
        });
  }

  @Override
  public void writeVmState(long position, ByteBuffer source) throws IOException {
    int start = source.position();
    change(() -> parts.vmState().write(position, source.position(start)));
  }

  @Override
  public void readVmState(long position, ByteBuffer target) throws IOException {
    int limit = target.limit();
    long guestOffset = parts.vmState().locate(position, target);
    if (guestOffset >= 0) {
      read(guestOffset, target);
    }
    Zeroes.fill(target.limit(limit));
  }

  /** A change of all tables, made while no request is in flight. */
  private interface Reorganization<T> {
    T run() throws IOException;
  }

  private <T> T reorganize(Reorganization<T> change) throws IOException {
    corruption.requireWritable();
    firstWrite.prepare();
    bitmaps.lock().lock(); // nor is one added or removed
    try {
      return change.run();
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } catch (HeaderFields.UndecidedException e) {
      corruption.stopWriting(e);
      throw e;
    } finally {
      bitmaps.lock().unlock();
    }
  }

  /** Also when the image was found damaged: what was written before is still the guest's data. */
  @Override
  public void flush() throws IOException {
    if (corruption.wasWritable()) {
      writeMetadata(parts.writeback()::flush);
    }
  }

  /** The order of metadata needs the flushes of the file between its steps, here as at a flush. */
  @Override
  public void writeBack() throws IOException {
    if (corruption.wasWritable()) {
      writeMetadata(parts.writeback()::writeDirty);
    }
  }

  private void writeMetadata(Change write) throws IOException {
    try {
      write.run();
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    }
  }

  @Override
  public long allocatedBytes() throws IOException {
    long allocated = metadata.file().allocatedBytes();
    return metadata.data().isExternal()
        ? allocated + metadata.data().file().allocatedBytes()
        : allocated;
  }

  @Override
  public BlockLimits limits() {
    return limits;
  }

  @Override
  public Support support() {
    return corruption.isWritable() ? whenWritable : NOT_WRITABLE;
  }

  @Override
  public @Nullable BackingReference backingReference() {
    return backingReference;
  }

  @Override
  public void attachBacking(@Nullable BlockIo backing) {
    parts.content().attachBacking(backing);
  }

  @Override
  public void invalidate() throws IOException {
    writeBack();
    metadata.l2Cache().clear();
    metadata.refcountCache().clear();
    metadata.decompressed().clear();
  }

  @Override
  public void close() throws IOException {
    try {
      if (corruption.wasWritable()) {
        flush();
        bitmaps.close(); // after the flush: what cannot be stored takes no data along
        flush();
        metadata.file().flush(); // what was freed at the end of the write-back
      }
    } finally {
      if (cleaning != null) {
        cleaning.close();
      }
      metadata.l2Cache().close();
      metadata.refcountCache().close();
      metadata.decompressed().close();
      metadata.compressedFile().close();
      metadata.data().close();
    }
  }
}
