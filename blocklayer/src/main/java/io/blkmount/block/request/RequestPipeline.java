// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.driver.WriteObserver;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * What stands in front of a driver's instance, one per node: checks a request once, tracks it,
 * keeps overlapping changes apart, pads and splits it to what the driver takes. Nobody else calls
 * the data methods of the instance.
 */
public final class RequestPipeline {
  private final DriverInstance instance;
  private final PipelineOptions options;
  private final Layer layer;
  private final RequestTracker tracker;
  private final RequestBounds bounds;
  private final PaddedWriter writer;
  private final ZeroRequests zeroes;
  private final DetectZeroes detectZeroes;
  private final DiscardRequests discards;
  private final SpaceReservation reservation;
  private final CopyOnRead copyOnRead;
  private final FlushSequence flushes;
  private final WriteObserver observer;
  private final LongChanges changes;

  /**
   * Stands in front of an instance.
   *
   * @param instance that no other pipeline serves
   * @param options how the node treats its requests
   */
  public RequestPipeline(DriverInstance instance, PipelineOptions options) {
    this.instance = instance;
    this.options = options;
    BeforeWrite check = options.beforeWrite();
    layer = new Layer(instance, check == null ? 0 : check.guardedLength());
    tracker = layer.tracker();
    bounds = new RequestBounds(instance, options);
    writer = new PaddedWriter(layer, options.compress());
    zeroes = new ZeroRequests(layer, options, writer);
    detectZeroes = new DetectZeroes(options.detectZeroes(), zeroes);
    discards = new DiscardRequests(instance);
    reservation = new SpaceReservation(layer, writer);
    copyOnRead = new CopyOnRead(layer, writer, zeroes);
    flushes = new FlushSequence(instance);
    observer = instance instanceof WriteObserver follows ? follows : WriteObserver.NONE;
    changes = new LongChanges(layer, flushes, observer);
  }

  /**
   * Says what to read where this layer holds nothing. Only while this node is drained.
   *
   * @param backing the pipeline of the backing node, or null: zeros
   */
  public void attachBacking(@Nullable RequestPipeline backing) {
    layer.attachBacking(backing == null ? null : backing.layer());
  }

  /** Returns the node as this package sees it. */
  Layer layer() {
    return layer;
  }

  /**
   * Returns the length of the disk in bytes.
   *
   * @throws IOException if it cannot be found
   */
  public long length() throws IOException {
    return layer.length().get();
  }

  /**
   * Reads through the chain; past the end are zeros.
   *
   * @param offset in bytes, not negative
   * @param target filled from position to limit
   * @throws IOException if the bytes cannot be read, or stored where copy-on-read wants that
   */
  public void read(long offset, ByteBuffer target) throws IOException {
    long end = bounds.endOf(offset, target.remaining());
    if (offset == end) {
      return;
    }
    try (TrackedRequest request = tracker.begin(offset, end)) {
      if (!copies() || copyOnRead.isHeld(offset, end)) {
        ChainReader.read(layer, offset, target);
        return;
      }
    }
    readAndCopy(offset, end, target);
  }

  private boolean copies() {
    return options.copyOnRead() && layer.backing() != null && bounds.isWritable();
  }

  private void readAndCopy(long offset, long end, ByteBuffer target) throws IOException {
    try (TrackedRequest request = layer.beginChange(offset, end, layer.changeUnit())) {
      copyOnRead.copyUp(offset, end);
      ChainReader.read(layer, offset, target);
    } finally {
      flushes.changeEnded();
    }
  }

  /**
   * Writes. Past the end only if the instance grows by it.
   *
   * @param offset in bytes, not negative
   * @param source consumed
   * @param flags {@code FUA} is emulated by a flush where the driver does not know it
   * @throws IOException {@code READ_ONLY}, {@code TOO_BIG} and a refused {@code BeforeWrite} before
   *     anything has changed; so with {@code COMPRESSED} for {@code NOT_SUPPORTED}, and {@code
   *     INVALID} for what are not whole clusters
   */
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    long end = bounds.endOf(offset, source.remaining());
    bounds.requireWritable();
    if (flags.has(WriteFlags.COMPRESSED) && !options.compress()) {
      bounds.requireCompressible(offset, end);
    }
    boolean durable = false;
    if (offset < end && detectZeroes.applyTo(source)) {
      zero(offset, end, detectZeroes.zeroFlags(flags));
      source.position(source.limit());
    } else if (offset < end) {
      writeTracked(offset, end, source, flags);
      durable = instance.support().writeFlags().has(WriteFlags.FUA);
    }
    if (flags.has(WriteFlags.FUA) && !durable) {
      flush();
    }
  }

  private void writeTracked(long offset, long end, ByteBuffer source, WriteFlags flags)
      throws IOException {
    try (TrackedRequest request = beginWrite(offset, end)) {
      bounds.requireRoom(offset, end);
      if (options.beforeWrite() != null) {
        options.beforeWrite().check(offset, source);
      }
      writeObserved(offset, end, source, flags);
    } finally {
      flushes.changeEnded();
    }
  }

  /** The observer is told of a failure as well: some bytes may have changed. */
  private void writeObserved(long offset, long end, ByteBuffer source, WriteFlags flags)
      throws IOException {
    try {
      writer.write(offset, source, flags);
    } finally {
      observer.changed(offset, end - offset);
    }
  }

  private TrackedRequest beginWrite(long offset, long end) throws IOException {
    return writer.isAligned(offset, end) && !layer.isGuarded(offset)
        ? tracker.begin(offset, end)
        : layer.beginChange(offset, end, writer.alignment());
  }

  /**
   * Makes a range read as zeros.
   *
   * @param offset in bytes, not negative
   * @param length in bytes, not negative, not limited; past the end only if the instance grows
   * @param flags as in {@link WriteFlags}; {@code MAY_UNMAP} counts where discards do
   * @throws IOException {@code READ_ONLY}, {@code TOO_BIG} and a refused {@code BeforeWrite} before
   *     anything has changed; {@code NOT_SUPPORTED} with {@code NO_FALLBACK}
   */
  public void writeZeroes(long offset, long length, WriteFlags flags) throws IOException {
    long end = bounds.endOf(offset, length);
    bounds.requireWritable();
    if (offset < end) {
      zero(offset, end, flags);
    }
    if (flags.has(WriteFlags.FUA)) {
      flush();
    }
  }

  private void zero(long offset, long end, WriteFlags flags) throws IOException {
    changes.observedInPieces(
        offset,
        end,
        (start, stop) -> {
          bounds.requireRoom(start, end);
          if (start == offset && options.beforeWrite() != null) {
            options.beforeWrite().checkZeroes(offset, end - offset);
          }
          zeroes.write(start, stop, flags);
        });
  }

  /**
   * Gives the space of whole units inside a range back, unless discards are ignored here.
   *
   * @param offset in bytes, not negative
   * @param length in bytes, not negative, not limited; inside the disk, or the disk grows
   * @throws IOException if the request failed in the host; never because it is not supported
   */
  public void discard(long offset, long length) throws IOException {
    long end = bounds.endOf(offset, length);
    bounds.requireWritable();
    bounds.requireRoom(offset, end);
    if (options.discard() == DiscardMode.IGNORE || !discards.isNative()) {
      return;
    }
    changes.observedInPieces(
        offset,
        Math.min(end, instance.length()),
        (start, stop) -> discards.discard(start, Math.min(stop, instance.length())));
  }

  /**
   * Makes sure that later writes to a range need no new space.
   *
   * @param offset in bytes, not negative
   * @param length in bytes; past the end only if the instance grows, and its length stays
   * @throws IOException {@code NO_SPACE} if there is not enough; some of the range may be reserved;
   *     {@code NOT_SUPPORTED} where writes are compressed, each of which needs new space
   */
  public void reserve(long offset, long length) throws IOException {
    long end = bounds.endOf(offset, length);
    bounds.requireWritable();
    bounds.requireReservable();
    bounds.requireRoom(offset, end);
    changes.inPieces(
        offset,
        end,
        (start, stop) -> {
          bounds.requireRoom(start, stop);
          reservation.reserve(start, stop);
        });
  }

  /**
   * Returns what this layer, without those below, knows of the run at {@code offset}.
   *
   * @param offset in bytes, below the length
   * @param maxLength at least 1
   * @throws IOException {@code NO_SUCH_DEVICE_OR_ADDRESS} past the end, or if the metadata cannot
   *     be read
   */
  public Extent layerExtentAt(long offset, long maxLength) throws IOException {
    try (TrackedRequest request = tracker.begin(0, 0)) {
      long longest = Math.min(maxLength, bounds.lengthFrom(offset));
      return instance.extentAt(offset, longest).limitedTo(longest);
    }
  }

  /**
   * Makes durable every write that had completed when the call began; with {@code noFlush} only
   * gives it to the host.
   *
   * @throws IOException if any of them may be lost
   */
  public void flush() throws IOException {
    if (options.noFlush()) {
      writeBack();
    } else if (options.writable()) {
      try (TrackedRequest request = tracker.begin(0, 0)) {
        flushes.flush();
      }
    }
  }

  /** Says that bytes change without passing here: from now on every flush is carried out. */
  public void flushAlways() {
    flushes.flushAlways();
  }

  /** Returns whether each request has to pass here, because of what is done with it. */
  public boolean looksAtRequests() {
    return options.copyOnRead()
        || options.detectZeroes() != DetectZeroesMode.OFF
        || options.beforeWrite() != null
        || observer.isWatching();
  }

  /**
   * Gives what is only in memory to the host without waiting for the medium.
   *
   * @throws IOException if a write failed
   */
  public void writeBack() throws IOException {
    if (options.writable()) {
      try (TrackedRequest request = tracker.begin(0, 0)) {
        instance.writeBack();
      }
    }
  }

  /**
   * Changes the length; waits for requests that overlap the changed part.
   *
   * @param length new length in bytes
   * @param preallocation what to do with new space
   * @throws IOException if it cannot; the old length holds then
   */
  public void truncate(long length, Preallocation preallocation) throws IOException {
    long newLength = bounds.endOf(length, 0);
    bounds.requireWritable();
    try (TrackedRequest request = layer.beginTruncate(newLength)) {
      instance.truncate(newLength, preallocation);
    } finally {
      flushes.changeEnded();
    }
  }

  /** Waits until nothing is in flight on this node. Not by a thread that holds a request of it. */
  public void drain() {
    tracker.drain();
  }

  /** Returns the instance behind this pipeline, for what is not data. */
  public DriverInstance instance() {
    return instance;
  }

  /** Returns the instance's limits. */
  public BlockLimits limits() {
    return instance.limits();
  }

  /** Returns what the instance can do. */
  public Support support() {
    return instance.support();
  }
}
