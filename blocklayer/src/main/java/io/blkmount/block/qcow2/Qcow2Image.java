// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.Backed;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.BitmapKeeper;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.DamageReporter;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.InternalSnapshot;
import io.blkmount.block.driver.Lendable;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.VmStateStore;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.driver.WriteObserver;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** An opened qcow2 image: each request enters an epoch, is served, and leaves it. */
final class Qcow2Image
    implements DriverInstance,
        Backed,
        Snapshottable,
        VmStateStore,
        BitmapKeeper,
        WriteObserver,
        DamageReporter,
        Lendable {
  private final Metadata metadata;
  private final Qcow2Parts parts;
  private final Corruption corruption;
  private final Qcow2Bitmaps bitmaps;
  private final BitmapOperations bitmapOperations;
  private final ImageChanges changes;
  private final ImageSnapshots snapshots;
  private final ImageExtents extents;
  private final RawDataLending lending;
  private final ImageStorage storage;
  private final @Nullable BackingReference backingReference;
  private final BlockLimits limits;
  private final Support whenWritable;

  Qcow2Image(
      Metadata metadata,
      Qcow2Parts parts,
      Corruption corruption,
      @Nullable BackingReference backingReference,
      @Nullable BitmapsPointer bitmapsPointer) {
    this.metadata = metadata;
    this.parts = parts;
    this.corruption = corruption;
    FirstWrite firstWrite = new FirstWrite(metadata, bitmapsPointer != null);
    this.bitmaps =
        new Qcow2Bitmaps(metadata, corruption, firstWrite, parts.bitmaps(), bitmapsPointer);
    this.bitmapOperations = new BitmapOperations(metadata, bitmaps);
    this.changes = new ImageChanges(metadata, parts, corruption, firstWrite, bitmaps);
    this.snapshots = new ImageSnapshots(parts.snapshots(), changes, bitmaps);
    this.lending = new RawDataLending(metadata, parts, corruption, changes, bitmaps);
    this.storage = new ImageStorage(metadata, parts.writeback(), corruption, changes, bitmaps);
    this.extents = new ImageExtents(parts.lookup(), metadata.data());
    this.backingReference = backingReference;
    this.limits = ImageSupport.limits(metadata);
    this.whenWritable = ImageSupport.whenWritable(metadata.header());
  }

  /** Reads the bitmaps, which have to record the first write already. */
  void loadBitmaps() throws IOException {
    bitmaps.load();
  }

  /** Lets go, from now on, of cached metadata that is not used; at most one call, at open. */
  void cleanCaches(long intervalSeconds, Alarm clock) {
    storage.cleanCaches(intervalSeconds, clock);
  }

  Metadata metadata() {
    return metadata;
  }

  Qcow2Parts parts() {
    return parts;
  }

  ImageChanges changes() {
    return changes;
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
      parts.content().readRun(run, target);
      return run.length();
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } finally {
      metadata.epochs().leave(epoch);
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
      return extents.find(offset, maxLength);
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } finally {
      metadata.epochs().leave(epoch);
    }
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    int start = source.position();
    if (flags.has(WriteFlags.COMPRESSED)) {
      changes.make(() -> parts.compressedWriter().write(offset, source.position(start)));
    } else {
      changes.make(new Write(parts.writer(), offset, source, start));
    }
  }

  /** A class of its own, because making a lambda object is slow before the last compiler is on. */
  private record Write(ClusterWriter writer, long offset, ByteBuffer source, int start)
      implements ImageChanges.Change {
    @Override
    public void run() throws IOException {
      writer.write(offset, source.position(start));
    }
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) throws IOException {
    long end = changeEnd(offset + length);
    changes.make(() -> parts.zeroClusters().zero(offset, end, flags));
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    long end = changeEnd(offset + length);
    changes.make(() -> parts.zeroClusters().discard(offset, end));
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
    changes.make(() -> parts.reservation().reserve(offset, offset + length));
  }

  @Override
  public void truncate(long length, Preallocation preallocation) throws IOException {
    changes.make(
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

  @Override
  public void onDamage(DamageListener listener) {
    corruption.tell(listener);
  }

  @Override
  public @Nullable ChildRole wholeFile() {
    return lending.wholeFile();
  }

  @Override
  public void prepareLending() throws IOException {
    lending.prepareLending();
  }

  @Override
  public void followFile() throws IOException {
    lending.followFile();
  }

  @Override
  public List<InternalSnapshot> snapshots() throws IOException {
    return snapshots.snapshots();
  }

  @Override
  public InternalSnapshot createSnapshot(NewSnapshot snapshot) throws IOException {
    return snapshots.createSnapshot(snapshot);
  }

  @Override
  public void applySnapshot(String idOrName) throws IOException {
    snapshots.applySnapshot(idOrName);
  }

  @Override
  public void deleteSnapshot(String idOrName) throws IOException {
    snapshots.deleteSnapshot(idOrName);
  }

  @Override
  public void writeVmState(long position, ByteBuffer source) throws IOException {
    int start = source.position();
    changes.make(() -> parts.vmState().write(position, source.position(start)));
  }

  @Override
  public void readVmState(long position, ByteBuffer target) throws IOException {
    parts.vmState().read(position, target, this::read);
  }

  @Override
  public void flush() throws IOException {
    storage.flush();
  }

  @Override
  public void writeBack() throws IOException {
    storage.writeBack();
  }

  @Override
  public long allocatedBytes() throws IOException {
    return metadata.allocatedBytes();
  }

  @Override
  public BlockLimits limits() {
    return limits;
  }

  @Override
  public Support support() {
    return corruption.isWritable() ? whenWritable : ImageSupport.NOT_WRITABLE;
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
    storage.invalidate();
  }

  @Override
  public void close() throws IOException {
    storage.close();
  }
}
