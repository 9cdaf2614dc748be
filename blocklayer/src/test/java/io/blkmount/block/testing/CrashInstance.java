// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.CrashLog.Event;
import io.blkmount.block.testing.CrashLog.Flush;
import io.blkmount.block.testing.CrashLog.Mark;
import io.blkmount.block.testing.CrashLog.Truncate;
import io.blkmount.block.testing.CrashLog.Write;
import io.blkmount.block.testing.CrashLog.Zero;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A host file that logs, with their data, all changes in the order in which they completed, so that
 * {@link CrashLog} can build what a crash would have left. A flush covers what had completed when
 * it began, as fdatasync does.
 */
public final class CrashInstance extends ForwardingInstance {
  private final PagedBytes start;
  private final Object lock = new Object();

  @GuardedBy("lock")
  private final List<Event> events = new ArrayList<>();

  /**
   * Creates a file with byte granularity.
   *
   * @param content its bytes, all durable; not changed
   */
  public CrashInstance(PagedBytes content) {
    this(content, 1);
  }

  /**
   * Creates a file.
   *
   * @param content its bytes, all durable; not changed
   * @param alignment of every request, a power of two
   */
  public CrashInstance(PagedBytes content, int alignment) {
    super(MemoryInstance.file(content.copy(), alignment));
    this.start = content.copy();
  }

  /** Returns the log up to now. */
  public CrashLog log() {
    synchronized (lock) {
      return new CrashLog(start, List.copyOf(events));
    }
  }

  /** Returns a copy of the bytes as they are now, durable or not. */
  public PagedBytes content() {
    return ((MemoryInstance) inner()).content();
  }

  /**
   * Writes something of the guest's into the log.
   *
   * @param what given to the judge when the log is replayed
   */
  public void mark(Object what) {
    synchronized (lock) {
      events.add(new Mark(what));
    }
  }

  @Override
  protected void before(Call call) {
    // A log entry is made when a call completes, below.
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    byte[] data = new byte[source.remaining()];
    source.duplicate().get(data);
    synchronized (lock) {
      super.write(offset, source, flags);
      events.add(new Write(offset, data));
    }
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) throws IOException {
    synchronized (lock) {
      super.writeZeroes(offset, length, flags);
      events.add(new Zero(offset, length, true));
    }
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    synchronized (lock) {
      super.discard(offset, length);
      events.add(new Zero(offset, length, false));
    }
  }

  @Override
  public void truncate(long length, Preallocation preallocation) throws IOException {
    synchronized (lock) {
      super.truncate(length, preallocation);
      events.add(new Truncate(length));
    }
  }

  @Override
  public void flush() throws IOException {
    int covered;
    synchronized (lock) {
      super.flush();
      covered = events.size();
    }
    // Others may write now: what they complete before this flush does is not covered by it.
    Thread.yield();
    synchronized (lock) {
      events.add(new Flush(covered));
    }
  }
}
