// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Hands every call to another instance, after showing it to {@link #before}. */
public abstract class ForwardingInstance implements DriverInstance {
  private final DriverInstance inner;

  /**
   * Creates a wrapper.
   *
   * @param inner who does the work
   */
  protected ForwardingInstance(DriverInstance inner) {
    this.inner = inner;
  }

  /** A call on the way to the inner instance. */
  public enum Kind {
    /** {@code read} and {@code readLayer}. */
    READ,
    /** {@code write}. */
    WRITE,
    /** {@code writeZeroes}. */
    ZERO,
    /** {@code discard}. */
    DISCARD,
    /** {@code reserve}. */
    RESERVE,
    /** {@code extentAt}. */
    EXTENT,
    /** {@code flush}. */
    FLUSH,
    /** {@code writeBack}. */
    WRITE_BACK,
    /** {@code truncate}; the length is the new one. */
    TRUNCATE,
    /** {@code close}. */
    CLOSE
  }

  /**
   * One call.
   *
   * @param kind which method
   * @param offset its offset, 0 if it has none
   * @param length its length in bytes, 0 if it has none
   * @param flags its flags
   */
  public record Call(Kind kind, long offset, long length, WriteFlags flags) {
    /**
     * Returns a call without flags.
     *
     * @param kind which method
     * @param offset its offset
     * @param length in bytes
     */
    public static Call of(Kind kind, long offset, long length) {
      return new Call(kind, offset, length, WriteFlags.NONE);
    }
  }

  /**
   * Sees a call before it is made.
   *
   * @param call what is about to happen
   * @throws IOException to keep it from happening
   */
  protected abstract void before(Call call) throws IOException;

  /** Returns who does the work. */
  protected final DriverInstance inner() {
    return inner;
  }

  @Override
  public long length() throws IOException {
    return inner.length();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    before(Call.of(Kind.READ, offset, target.remaining()));
    inner.read(offset, target);
  }

  @Override
  public long readLayer(long offset, ByteBuffer target) throws IOException {
    before(Call.of(Kind.READ, offset, target.remaining()));
    return inner.readLayer(offset, target);
  }

  @Override
  public long absentLength(long offset, long maxLength) throws IOException {
    return inner.absentLength(offset, maxLength);
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    before(new Call(Kind.WRITE, offset, source.remaining(), flags));
    inner.write(offset, source, flags);
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) throws IOException {
    before(new Call(Kind.ZERO, offset, length, flags));
    inner.writeZeroes(offset, length, flags);
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    before(Call.of(Kind.DISCARD, offset, length));
    inner.discard(offset, length);
  }

  @Override
  public void reserve(long offset, long length) throws IOException {
    before(Call.of(Kind.RESERVE, offset, length));
    inner.reserve(offset, length);
  }

  @Override
  public Extent extentAt(long offset, long maxLength) throws IOException {
    before(Call.of(Kind.EXTENT, offset, maxLength));
    return inner.extentAt(offset, maxLength);
  }

  @Override
  public void flush() throws IOException {
    before(Call.of(Kind.FLUSH, 0, 0));
    inner.flush();
  }

  @Override
  public void writeBack() throws IOException {
    before(Call.of(Kind.WRITE_BACK, 0, 0));
    inner.writeBack();
  }

  @Override
  public long allocatedBytes() throws IOException {
    return inner.allocatedBytes();
  }

  @Override
  public BlockLimits limits() {
    return inner.limits();
  }

  @Override
  public Support support() {
    return inner.support();
  }

  @Override
  public void truncate(long length, Preallocation preallocation) throws IOException {
    before(Call.of(Kind.TRUNCATE, 0, length));
    inner.truncate(length, preallocation);
  }

  @Override
  public void invalidate() throws IOException {
    inner.invalidate();
  }

  @Override
  public void close() throws IOException {
    before(Call.of(Kind.CLOSE, 0, 0));
    inner.close();
  }
}
