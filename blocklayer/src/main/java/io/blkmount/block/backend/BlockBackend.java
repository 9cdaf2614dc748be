// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.driver.VmStateStore;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.graph.BackingChain;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.graph.ChainExtents;
import io.blkmount.block.request.RequestPipeline;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.time.InstantSource;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One opened image chain as its user sees it: a disk of bytes.
 *
 * <p>Any number of threads may call at once; calls block. Ranges lie inside {@code [0, length())}.
 * After {@link #close} every call fails with {@code NO_MEDIUM}.
 */
public final class BlockBackend implements Closeable {
  private final BlockGraph graph;
  private final ChainExtents extents;
  private final RequestPipeline top;
  private final BackendOptions options;
  private final DiskRules rules;
  private final WriteFlags writeFlags;
  private final Occupancy occupancy;
  private final ModificationTime modified;
  private final QuiesceGate gate;
  private final QuiescedOperations quiesced;
  private final BlockEvents events;
  private final ReentrantLock closing = new ReentrantLock();

  /**
   * Takes over an opened chain.
   *
   * @param graph all its nodes; closed with the backend
   * @param topNode where requests enter
   * @param options what the backend shows
   * @param clock what writes move the modification time to
   */
  public BlockBackend(
      BlockGraph graph, BlockNode topNode, BackendOptions options, InstantSource clock) {
    this.graph = graph;
    this.top = topNode.pipeline();
    this.options = options;
    rules = new DiskRules(top, options);
    extents = ChainExtents.below(topNode);
    occupancy = new Occupancy(BackingChain.from(topNode));
    modified = new ModificationTime(options.modifiedNanos(), clock);
    gate = new QuiesceGate(HostName.printable(options.imageName()));
    quiesced = new QuiescedOperations(gate, top, options, modified);
    events = new BlockEvents(graph);
    writeFlags = options.flushAfterWrite() ? WriteFlags.FUA : WriteFlags.NONE;
  }

  /**
   * Tells a program of what happens to the images behind the disk, from now on. Who adds a listener
   * before the first request misses nothing.
   *
   * @param listener as well as those that were added before
   */
  public void addListener(DeviceListener listener) {
    events.add(listener);
  }

  /** Returns the name that the image was opened by, for messages. */
  public String imageName() {
    return options.imageName();
  }

  /** Returns the name of the top image's format, such as {@code qcow2}. */
  public String format() {
    return options.format();
  }

  /** Returns the unit of allocation of the top image in bytes; 1 if it has none. */
  public int clusterSize() {
    return top.limits().clusterSize();
  }

  /** Returns whether writes are accepted. */
  public boolean writable() {
    return rules.isWritable();
  }

  /** Returns whether {@link #truncate} is. */
  public boolean resizable() {
    return rules.isResizable();
  }

  /**
   * Returns the length of the disk in bytes.
   *
   * @throws IOException if the host has to be asked and does not answer
   */
  public long length() throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      options.lending().followFile();
      return top.length();
    }
  }

  /**
   * Fills {@code target}.
   *
   * @param offset first byte, any alignment
   * @param target filled from position to limit; the range lies inside the disk
   * @throws IOException if the bytes cannot be read, or {@code INVALID} for a range outside
   */
  public void read(long offset, ByteBuffer target) throws IOException {
    if (target.isReadOnly()) {
      throw new ReadOnlyBufferException(); // the kernel fills direct memory without asking
    }
    try (QuiesceGate.Pass pass = gate.enter()) {
      rules.requireInside(offset, target.remaining(), BlockError.INVALID);
      top.read(offset, target);
    }
  }

  /**
   * Writes all of {@code source}; durable on return in the cache modes writethrough and directsync.
   *
   * @param offset first byte, any alignment
   * @param source written from position to limit; the range lies inside the disk
   * @throws IOException if the bytes cannot be written, {@code READ_ONLY}, or {@code TOO_BIG} for a
   *     range outside
   */
  public void write(long offset, ByteBuffer source) throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      rules.requireWritable();
      rules.requireInside(offset, source.remaining(), BlockError.TOO_BIG);
      try (ModificationTime.Change change = modified.change()) {
        top.write(offset, source, writeFlags);
      }
    }
  }

  /**
   * Makes a range read as zeros.
   *
   * @param offset first byte, any alignment
   * @param length in bytes; the range lies inside the disk
   * @param mayUnmap whether space may be given back
   * @throws IOException if the range cannot be zeroed
   */
  public void writeZeroes(long offset, long length, boolean mayUnmap) throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      rules.requireWritable();
      rules.requireInside(offset, length, BlockError.TOO_BIG);
      WriteFlags flags = mayUnmap ? writeFlags.with(WriteFlags.MAY_UNMAP) : writeFlags;
      try (ModificationTime.Change change = modified.change()) {
        top.writeZeroes(offset, length, flags);
      }
    }
  }

  /**
   * Says that a range is not needed any more: it reads as before or as zeros afterwards.
   *
   * @param offset first byte, any alignment
   * @param length in bytes; the range lies inside the disk
   * @throws IOException if the host failed
   */
  public void discard(long offset, long length) throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      rules.requireWritable();
      rules.requireInside(offset, length, BlockError.TOO_BIG);
      try (ModificationTime.Change change = modified.change()) {
        top.discard(offset, length);
      }
    }
  }

  /**
   * Makes sure that later writes to a range need no new space; no byte changes.
   *
   * @param offset first byte, any alignment
   * @param length in bytes; the range lies inside the disk
   * @throws IOException with {@code NO_SPACE} if there is not enough
   */
  public void reserve(long offset, long length) throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      rules.requireWritable();
      rules.requireInside(offset, length, BlockError.TOO_BIG);
      top.reserve(offset, length);
    }
  }

  /**
   * Returns what is known, looking down the whole chain, of the run that starts at {@code offset}.
   *
   * @param offset first byte, below {@link #length()}
   * @param maxLength in bytes, at least 1
   * @return DATA, COMPRESSED or ZERO with the depth of the layer that says so; UNALLOCATED when no
   *     layer holds it (it reads as zeros)
   * @throws IOException if metadata cannot be read
   */
  public Extent extentAt(long offset, long maxLength) throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      return extents.extentAt(offset, maxLength);
    }
  }

  /**
   * Makes durable every write that had completed when the call began.
   *
   * @throws IOException if any of them may be lost
   */
  public void flush() throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      options.lending().followFile();
      top.flush();
    }
  }

  /**
   * Gives to the host what is only in this process, without waiting for the medium.
   *
   * @throws IOException if a write failed
   */
  public void writeBack() throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      options.lending().followFile();
      top.writeBack();
    }
  }

  /**
   * Changes the length of the disk.
   *
   * @param length new length in bytes
   * @param preallocation what to do with new space
   * @throws IOException with {@code NOT_PERMITTED} unless {@link #resizable}, with {@code
   *     NOT_SUPPORTED} if the format cannot
   */
  public void truncate(long length, Preallocation preallocation) throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      rules.requireResizable();
      try (ModificationTime.Change change = modified.change()) {
        top.truncate(length, preallocation);
      }
    }
  }

  /**
   * Returns how many bytes of the host what the disk shows occupies, for {@code st_blocks}: at
   * least 4096 while any byte of it may be other than zero.
   *
   * @throws IOException if the host does not answer
   */
  public long allocatedBytes() throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      return occupancy.bytes();
    }
  }

  /**
   * Returns when the disk's bytes last changed, in nanoseconds since 1970: the modification time of
   * the top image at open, moved by writes through this handle and by nothing else.
   *
   * @throws IOException if the host does not answer
   */
  public long modifiedNanos() throws IOException {
    return Math.max(modified.nanos(), options.lending().modifiedNanos());
  }

  /**
   * Returns the internal snapshots of the top image, to look at and to change while the disk is in
   * use: its requests wait meanwhile. What it shows is another after a snapshot was applied.
   *
   * @throws BlockException with {@code NOT_SUPPORTED} if the format has none
   */
  public Snapshottable internalSnapshots() throws BlockException {
    return quiesced.snapshots();
  }

  /**
   * Returns what keeps the state of a whole machine in the top image, for {@link
   * #internalSnapshots}.
   *
   * @throws BlockException with {@code NOT_SUPPORTED} if the format cannot
   */
  public VmStateStore vmState() throws BlockException {
    return quiesced.vmState();
  }

  /**
   * Lets the kernel read and write the image file by itself, as passthrough of FUSE does. Nothing
   * of that is seen here; {@link #flush} still makes all of it durable.
   *
   * @return open until the kernel has let go of the file
   * @throws IOException with {@code NOT_SUPPORTED} and what stands in the way, if the disk is not
   *     its file byte for byte or somebody has to see its requests
   */
  public FileLending.Loan lendFile() throws IOException {
    try (QuiesceGate.Pass pass = gate.enter()) {
      return options.lending().lend();
    }
  }

  /**
   * Returns the dirty bitmaps that the top image keeps.
   *
   * @return usable until the disk is closed
   * @throws BlockException with {@code NOT_SUPPORTED} if its format has none, {@code BUSY} while
   *     the kernel has the image file
   */
  public BitmapStore bitmaps() throws BlockException {
    rules.requireWritesSeen("keep bitmaps of");
    return quiesced.bitmaps();
  }

  /**
   * Checks that no write escapes: for whatever follows the changes of a disk.
   *
   * @param operation such as {@code mirror}
   * @throws BlockException with {@code BUSY} while the kernel has the image file
   */
  public void requireWritesSeen(String operation) throws BlockException {
    rules.requireWritesSeen(operation);
  }

  /**
   * Stops taking requests, waits for those in flight, flushes and closes the chain from the top
   * down. A second call does nothing.
   *
   * @throws IOException if the last flush or a close failed; everything is closed all the same
   */
  @Override
  public void close() throws IOException {
    closing.lock();
    try {
      if (gate.close()) {
        closeChain();
      }
    } finally {
      closing.unlock();
    }
  }

  /** Closes the graph whatever the flush says; what it says comes first. */
  private void closeChain() throws IOException {
    try (BlockGraph closed = graph) {
      top.drain();
      options.lending().followFile();
      top.flush();
    }
  }
}
