// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.bitmap.DirtyBitmap;
import io.blkmount.block.driver.WriteObserver;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The persistent dirty bitmaps in the life of an open image: when they are read, told of writes and
 * stored. Stands for {@code qcow2-bitmap.c}.
 *
 * <p>Unlike QEMU's, a bitmap is in use on the disk only from the first change on, of the disk or of
 * the bitmap, and one that records nothing stays as it is: neither opening an image nor a crash of
 * somebody who did not write takes anything away.
 */
final class Qcow2Bitmaps implements WriteObserver {
  private static final DirtyBitmap[] NONE = {};

  private final Metadata metadata;
  private final Corruption corruption;
  private final FirstWrite firstWrite;
  private final @Nullable BitmapsPointer pointer;

  /** Held over I/O; requests take it for the first change only. */
  private final ReentrantLock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final BitmapSet set;

  @GuardedBy("lock")
  private boolean loaded;

  @GuardedBy("lock")
  private boolean closed;

  /** Whether the disk may change without a word to us, from now on. */
  @GuardedBy("lock")
  private boolean lent;

  /** Whether those that record are in use on the disk. */
  private volatile boolean prepared;

  /** Replaced, never changed. */
  private volatile DirtyBitmap[] recording = NONE;

  /**
   * Creates the bitmaps of an image; nothing is read yet.
   *
   * @param pointer to the directory, or null if there is none
   */
  Qcow2Bitmaps(
      Metadata metadata,
      Corruption corruption,
      FirstWrite firstWrite,
      BitmapSet set,
      @Nullable BitmapsPointer pointer) {
    this.metadata = metadata;
    this.corruption = corruption;
    this.firstWrite = firstWrite;
    this.set = set;
    this.pointer = pointer;
  }

  /** Returns the lock that is held while bitmaps change, for what must not happen meanwhile. */
  ReentrantLock lock() {
    return lock;
  }

  /** Something done with the bitmaps while nobody else does. */
  interface Action {
    void run(BitmapSet set) throws IOException;
  }

  /**
   * Reads them, if they have not been read. An image that is opened for writing has to know them
   * before the first request, another one when it is asked.
   *
   * @throws IOException as {@link BitmapSet#load}
   */
  void load() throws IOException {
    look(all -> {});
  }

  /**
   * Does what changes nothing.
   *
   * @throws IOException from the action; {@code NO_MEDIUM} once they are closed
   */
  void look(Action action) throws IOException {
    lock.lock();
    try {
      if (closed) {
        throw new BlockException(BlockError.NO_MEDIUM, metadata.file().name() + ": closed");
      }
      if (!loaded && pointer != null) {
        set.load(pointer, corruption.wasWritable());
      }
      loaded = true;
      action.run(set);
      updateRecording();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Does what changes bitmaps.
   *
   * @throws IOException from the action; {@code READ_ONLY} if the image is
   */
  void change(Action action) throws IOException {
    corruption.requireWritable();
    try {
      look(action);
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } catch (HeaderFields.UndecidedException e) {
      corruption.stopWriting(e);
      throw e;
    }
  }

  /**
   * Lets the disk change without a word to us: there is no bitmap, nor will there be one.
   *
   * @throws BlockException {@code BUSY} if there is
   */
  void lend() throws IOException {
    lock.lock();
    try {
      requireNone("let the kernel write the data file");
      lent = true;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Fails if a new bitmap would miss changes.
   *
   * @throws BlockException {@code BUSY}
   */
  void requireTold() throws BlockException {
    lock.lock();
    try {
      if (lent) {
        throw new BlockException(
            BlockError.BUSY,
            "cannot add a bitmap: the kernel may write the data file by itself (--passthrough off)");
      }
    } finally {
      lock.unlock();
    }
  }

  /** Does what must be durable before the header points to another directory. */
  void prepareHeader() throws IOException {
    firstWrite.prepare();
  }

  @GuardedBy("lock")
  private void updateRecording() {
    List<DirtyBitmap> on = new ArrayList<>();
    for (PersistentBitmap each : set.all()) {
      DirtyBitmap content = each.content();
      if (content != null && content.isRecording()) {
        on.add(content);
      }
    }
    recording = on.toArray(NONE);
  }

  @Override
  public void changed(long offset, long length) {
    for (DirtyBitmap each : recording) {
      each.record(offset, offset + length);
    }
  }

  @Override
  public boolean isWatching() {
    return recording.length > 0;
  }

  /**
   * Does what must be durable before the disk changes.
   *
   * @throws IOException if it is not; the disk must not be changed then
   */
  void prepare() throws IOException {
    if (!prepared) {
      change(all -> all.setInUse(PersistentBitmap::isRecording));
      prepared = true;
    }
  }

  /**
   * Does what must be durable before the length of the disk changes.
   *
   * @throws BlockException {@code NOT_SUPPORTED} if a bitmap cannot follow
   */
  void prepareResize(long newLength) throws IOException {
    change(
        all -> {
          for (PersistentBitmap each : all.all()) {
            requireResizable(all, each, newLength);
          }
          requireShortTables(all, newLength);
          all.setInUse(each -> true);
        });
  }

  private static void requireResizable(BitmapSet set, PersistentBitmap bitmap, long newLength)
      throws BlockException {
    DirtyBitmap content = bitmap.content();
    boolean fits =
        content == null
            ? bitmap.isInconsistent()
            : set.canHold(newLength, content.granularityBits());
    if (!fits) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "the image cannot be resized: its bitmap "
              + bitmap.printable()
              + (content == null
                  ? " has extra data that is not known"
                  : " would be too long with a granularity of "
                      + (1L << content.granularityBits())));
    }
  }

  private static void requireShortTables(BitmapSet set, long newLength) throws BlockException {
    if (!set.canHoldAll(newLength)) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "the image cannot be resized: all its bitmaps together would be too long");
    }
  }

  /**
   * Fails if there are bitmaps: as in QEMU, they cannot follow what is about to happen.
   *
   * @param operation such as {@code go back to a snapshot}
   * @throws BlockException {@code BUSY}
   */
  void requireNone(String operation) throws IOException {
    look(
        all -> {
          if (!all.all().isEmpty()) {
            throw new BlockException(
                BlockError.BUSY,
                "cannot "
                    + operation
                    + ": the image has dirty bitmaps, which would miss the change; remove "
                    + all.all().get(0).printable()
                    + (all.all().size() > 1 ? " and the others" : ""));
          }
        });
  }

  /** Follows a change of the length; what is new is clean, as in QEMU. */
  void resize(long newLength) throws IOException {
    look(
        all -> {
          for (PersistentBitmap each : all.all()) {
            DirtyBitmap content = each.content();
            if (content != null) {
              content.resize(newLength);
            }
          }
        });
  }

  /**
   * Stores what has changed; nobody writes any more. Of a damaged image nothing is stored.
   *
   * @throws IOException if that failed; what differs on the disk stays marked as in use there
   */
  void close() throws IOException {
    lock.lock();
    try {
      closed = true;
      if (corruption.isWritable() && set.isStale()) {
        firstWrite.prepare();
        set.store();
      }
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } finally {
      lock.unlock();
    }
  }
}
