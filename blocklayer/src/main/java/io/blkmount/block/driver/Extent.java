// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import io.blkmount.block.bytes.ByteRange;

/**
 * A run of guest bytes of one kind, and where it is stored.
 *
 * @param kind what the bytes are
 * @param offset first guest byte
 * @param length in bytes, at least 1
 * @param hostOffset where the first byte lies in the layer's file, or {@link #NO_HOST_OFFSET}; a
 *     DATA run is consecutive there, a ZERO run with a host offset has space reserved
 * @param depth how many layers below the one that was asked the run was found: 0 for its own
 */
public record Extent(Kind kind, long offset, long length, long hostOffset, int depth) {
  /** No place of its own in the host file. */
  public static final long NO_HOST_OFFSET = -1;

  /** What the bytes of an extent are. */
  public enum Kind {
    /** Stored as they are. */
    DATA,
    /** Stored compressed; no host offset of their own. */
    COMPRESSED,
    /** Read as zeros because this layer says so. */
    ZERO,
    /** Not held by this layer: the backing file is asked, zeros where there is none. */
    UNALLOCATED
  }

  /** Checks the shape. */
  public Extent {
    if (offset < 0 || length < 1 || offset + length < 0) {
      throw new IllegalArgumentException("bad extent: offset=" + offset + " length=" + length);
    }
  }

  /**
   * Returns a run that is stored as it is.
   *
   * @param offset first guest byte
   * @param length in bytes
   * @param hostOffset first host byte
   */
  public static Extent data(long offset, long length, long hostOffset) {
    return new Extent(Kind.DATA, offset, length, hostOffset, 0);
  }

  /**
   * Returns a run that reads as zeros.
   *
   * @param offset first guest byte
   * @param length in bytes
   */
  public static Extent zero(long offset, long length) {
    return new Extent(Kind.ZERO, offset, length, NO_HOST_OFFSET, 0);
  }

  /**
   * Returns a run that this layer does not hold.
   *
   * @param offset first guest byte
   * @param length in bytes
   */
  public static Extent unallocated(long offset, long length) {
    return new Extent(Kind.UNALLOCATED, offset, length, NO_HOST_OFFSET, 0);
  }

  /** Returns one past the last guest byte. */
  public long end() {
    return offset + length;
  }

  /** Returns the guest bytes as a range. */
  public ByteRange range() {
    return new ByteRange(offset, length);
  }

  /** Returns whether the bytes are known to be zeros: ZERO, or UNALLOCATED with nothing below. */
  public boolean readsAsZero() {
    return kind == Kind.ZERO || kind == Kind.UNALLOCATED;
  }

  /** Returns whether the layer that was asked decides what these bytes are. */
  public boolean isAllocated() {
    return kind != Kind.UNALLOCATED;
  }

  /**
   * Returns the first {@code maxLength} bytes of this run.
   *
   * @param maxLength in bytes, at least 1
   */
  public Extent limitedTo(long maxLength) {
    return maxLength >= length ? this : new Extent(kind, offset, maxLength, hostOffset, depth);
  }

  /** Returns this run without a place where it is stored. */
  public Extent withoutHostOffset() {
    return hostOffset == NO_HOST_OFFSET
        ? this
        : new Extent(kind, offset, length, NO_HOST_OFFSET, depth);
  }

  /**
   * Returns this run as found {@code layers} further down.
   *
   * @param layers number of layers between
   */
  public Extent deeper(int layers) {
    return new Extent(kind, offset, length, hostOffset, depth + layers);
  }
}
