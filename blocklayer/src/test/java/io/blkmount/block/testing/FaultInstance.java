// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Fails the n-th call, counted from 0, or every call from the n-th on, until {@link #heal}. A
 * failing write may leave half of its bytes behind, as a full disk does.
 */
public final class FaultInstance extends ForwardingInstance {
  /** The calls that can fail unless a set is given: all that reach the medium. */
  public static final Set<Kind> MEDIUM =
      Set.copyOf(EnumSet.complementOf(EnumSet.of(Kind.CLOSE, Kind.EXTENT)));

  /** The calls that want space or change bytes. */
  public static final Set<Kind> CHANGES =
      Set.of(Kind.WRITE, Kind.ZERO, Kind.DISCARD, Kind.TRUNCATE, Kind.FLUSH);

  private final Set<Kind> kinds;
  private final BlockError error;
  private final boolean halfWrites;
  private final AtomicInteger calls = new AtomicInteger();
  private volatile int first;
  private volatile int last;
  private volatile boolean tripped;

  /**
   * Fails one call with EIO; a failed write has written nothing.
   *
   * @param inner who does the work
   * @param n which call fails, counted from 0
   */
  public FaultInstance(DriverInstance inner, int n) {
    this(inner, n, BlockError.IO);
  }

  /**
   * Fails one call; a failed write has written nothing.
   *
   * @param inner who does the work
   * @param n which call fails, counted from 0
   * @param error how
   */
  public FaultInstance(DriverInstance inner, int n, BlockError error) {
    this(inner, MEDIUM, error, false);
    failOnce(n);
  }

  /**
   * Fails nothing until told to.
   *
   * @param inner who does the work
   * @param kinds which calls are counted and fail
   * @param error how
   * @param halfWrites whether a failing write writes its first half
   */
  public FaultInstance(
      DriverInstance inner, Set<Kind> kinds, BlockError error, boolean halfWrites) {
    super(inner);
    this.kinds = Set.copyOf(kinds);
    this.error = error;
    this.halfWrites = halfWrites;
    heal();
  }

  /**
   * Fails one call, counted from now.
   *
   * @param n which, counted from 0
   */
  public void failOnce(int n) {
    arm(n, n);
  }

  /**
   * Fails the n-th and every later call, counted from now.
   *
   * @param n the first, counted from 0
   */
  public void failFrom(int n) {
    arm(n, Integer.MAX_VALUE);
  }

  /** Lets every call through from here on; {@link #tripped} stays. */
  public void heal() {
    first = Integer.MAX_VALUE;
    last = Integer.MAX_VALUE;
  }

  private void arm(int from, int to) {
    heal();
    tripped = false;
    calls.set(0);
    last = to;
    first = from;
  }

  /** Returns whether a call has failed since it was last armed. */
  public boolean tripped() {
    return tripped;
  }

  /** Returns how many calls there were since it was last armed. */
  public int calls() {
    return calls.get();
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    Call call = new Call(Kind.WRITE, offset, source.remaining(), flags);
    if (!fails(call)) {
      inner().write(offset, source, flags);
      return;
    }
    int half = half(offset, source.remaining());
    if (halfWrites && half > 0) {
      inner().write(offset, source.slice(source.position(), half), flags);
    }
    throw failure(call);
  }

  /** Cuts between sectors of the file: a host tears nothing smaller. */
  private int half(long offset, int length) {
    int unit = Math.max(512, limits().requestAlignment());
    return (int) Math.max(0, Alignment.down(offset + length / 2, unit) - offset);
  }

  @Override
  protected void before(Call call) throws IOException {
    if (fails(call)) {
      throw failure(call);
    }
  }

  private boolean fails(Call call) {
    if (!kinds.contains(call.kind())) {
      return false;
    }
    int index = calls.getAndIncrement();
    boolean fails = index >= first && index <= last && first != Integer.MAX_VALUE;
    tripped |= fails;
    return fails;
  }

  private BlockException failure(Call call) {
    return new BlockException(error, "injected failure of " + call);
  }
}
