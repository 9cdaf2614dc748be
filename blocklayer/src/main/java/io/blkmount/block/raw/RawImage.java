// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.raw;

import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Lendable;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** A raw disk: every request goes to the file, moved by the start of the window. */
final class RawImage implements DriverInstance, Lendable {
  private static final WriteFlags ZERO_FLAGS =
      WriteFlags.FUA
          .with(WriteFlags.MAY_UNMAP)
          .with(WriteFlags.NO_FALLBACK)
          .with(WriteFlags.UNCHANGED);

  /** Any byte, except that a discard leaves alone what is smaller than any device's sector. */
  private static final BlockLimits LIMITS =
      new BlockLimits(
          1, 1, BlockLimits.DEFAULT_MAX_TRANSFER, 1, Long.MAX_VALUE, 512, Long.MAX_VALUE, 1);

  private final ChildOpener.Child file;
  private final RawWindow window;
  private final Support support;

  RawImage(ChildOpener.Child file, RawWindow window, boolean writable) {
    this.file = file;
    this.window = window;
    this.support = writable ? writableSupport(file.support(), window) : Support.READ_ONLY;
  }

  /** The file's pipeline emulates what its driver cannot do, so nothing has to be emulated here. */
  private static Support writableSupport(Support file, RawWindow window) {
    return new Support(
        file.writable(),
        file.growable() && !window.isFixed(),
        WriteFlags.FUA.with(WriteFlags.UNCHANGED),
        ZERO_FLAGS,
        true,
        true,
        file.newSpaceReadsZero());
  }

  @Override
  public long length() throws IOException {
    return window.diskLength(file.length());
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    file.read(window.start() + offset, target);
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    file.write(window.start() + offset, source, flags);
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) throws IOException {
    file.writeZeroes(window.start() + offset, length, flags);
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    file.discard(window.start() + offset, length);
  }

  @Override
  public void reserve(long offset, long length) throws IOException {
    file.reserve(window.start() + offset, length);
  }

  @Override
  public Extent extentAt(long offset, long maxLength) throws IOException {
    Extent stored = file.extentAt(window.start() + offset, maxLength);
    return new Extent(stored.kind(), offset, stored.length(), stored.hostOffset(), 0);
  }

  @Override
  public void flush() throws IOException {
    file.flush();
  }

  @Override
  public void writeBack() throws IOException {
    file.writeBack();
  }

  @Override
  public long allocatedBytes() throws IOException {
    return file.allocatedBytes();
  }

  @Override
  public @Nullable ChildRole wholeFile() {
    return !window.isFixed() && window.start() == 0 ? ChildRole.FILE : null;
  }

  @Override
  public BlockLimits limits() {
    return LIMITS;
  }

  @Override
  public Support support() {
    return support;
  }

  @Override
  public void truncate(long length, Preallocation preallocation) throws IOException {
    if (window.isFixed()) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED, "raw image with the option size: cannot be resized");
    }
    file.truncate(Math.addExact(window.start(), length), preallocation);
  }

  /** Nothing is cached here. */
  @Override
  public void invalidate() {}

  /** Nothing is held here; the graph closes the file. */
  @Override
  public void close() {}
}
