// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.CrashJudge;
import io.blkmount.block.testing.CrashLog;
import io.blkmount.block.testing.CrashStates;
import io.blkmount.block.testing.CrashStates.Judge;
import io.blkmount.block.testing.GuestModel.Begin;
import io.blkmount.block.testing.GuestModel.Verb;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Reader;
import io.blkmount.block.testing.SectorPattern;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A guest works on an image whose host file logs everything; then the log is judged. */
final class CrashRun {
  /** Who wrote the sectors of the backing file; above every request of a guest. */
  private static final long BACKING_GENERATION = 1L << 40;

  /** Who wrote the sectors that a snapshot shares. */
  private static final long SHARED_GENERATION = 1L << 41;

  private static final int ROUNDS = 8;

  private final ImageShape shape;
  private final long seed;
  private final SplittableRandom random;
  private final AtomicInteger ids = new AtomicInteger();
  private final @Nullable PagedBytes backing;
  private final PagedBytes start;
  private final CrashInstance host;
  private TestImage.Options options = TestImage.Options.DEFAULT;
  private Fault fault = image -> {};
  private boolean takesSnapshots;
  private final SnapshotWorkload snapshots;

  /** What a test does to the image after each request. */
  interface Fault {
    void run(TestImage image) throws IOException;
  }

  CrashRun(ImageShape shape, long seed) {
    this(shape, seed, 1);
  }

  /** As on a host file opened with O_DIRECT: every request has whole blocks. */
  CrashRun(ImageShape shape, long seed, int hostAlignment) {
    this.shape = shape;
    this.seed = seed;
    this.random = new SplittableRandom(seed);
    this.backing = shape.hasBacking() ? backing(shape.backingLength()) : null;
    this.start = start();
    this.host = new CrashInstance(start.copy(), hostAlignment);
    this.snapshots = new SnapshotWorkload(host, ids, new SplittableRandom(seed));
  }

  /** Returns an empty image, or one whose first half an internal snapshot shares. */
  private PagedBytes start() {
    PagedBytes empty = shape.create();
    if (!shape.hasSnapshot()) {
      return empty;
    }
    MemoryInstance file = MemoryInstance.file(empty, 1);
    try (TestImage image = TestImage.open(file, backing)) {
      ByteBuffer half = SectorPattern.sectors(0, sharedSectors(), SHARED_GENERATION);
      image.io().write(0, half, WriteFlags.NONE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return SnapshotImages.take(file.content(), backing, "first");
  }

  private int sharedSectors() {
    return shape.hasSnapshot() ? shape.length() / SectorPattern.SECTOR / 2 : 0;
  }

  private static PagedBytes backing(int length) {
    PagedBytes bytes = new PagedBytes(length);
    bytes.write(0, SectorPattern.sectors(0, length / SectorPattern.SECTOR, BACKING_GENERATION));
    bytes.setLength(length);
    return bytes;
  }

  CrashRun withOptions(TestImage.Options chosen) {
    options = chosen;
    return this;
  }

  /** Works with internal snapshots between the requests. */
  CrashRun withSnapshots() {
    takesSnapshots = true;
    return this;
  }

  CrashRun withFault(Fault chosen) {
    fault = chosen;
    return this;
  }

  /** Lets one guest thread work; between the rounds the disk is resized and opened again. */
  CrashRun run(int requests) throws IOException {
    for (int round = 0; round < ROUNDS; round++) {
      try (TestImage image = TestImage.open(host, backing, optionsOf(round))) {
        CrashWorkload guest = guest(image);
        guest.run(requests / ROUNDS / 2);
        if (takesSnapshots) {
          snapshots.work(guest, image);
          guest.run(requests / ROUNDS / 4);
          snapshots.work(guest, image);
        }
        if (round % 3 > 0 && round < 6) {
          resize(guest, image, round);
        }
        guest.run(requests / ROUNDS / 2);
        if (random.nextBoolean()) {
          guest.flush();
        }
      }
    }
    return this;
  }

  /** Where writes are compressed they are not now and then, which frees compressed clusters. */
  private TestImage.Options optionsOf(int round) {
    return options.withCompress(shape.isCompressed() && round % 3 < 2);
  }

  private CrashWorkload guest(TestImage image) {
    return new CrashWorkload(host, image.io(), random.split(), ids, () -> fault.run(image));
  }

  private void resize(CrashWorkload guest, TestImage image, int round) throws IOException {
    int sectors = (int) (image.io().length() / SectorPattern.SECTOR);
    if (round % 3 == 1) {
      truncate(guest, image, Verb.SHRINK, sectors * 3 / 4 - round);
    }
    truncate(guest, image, Verb.GROW, sectors * 3 / 2 + 1);
  }

  private void truncate(CrashWorkload guest, TestImage image, Verb verb, int sectors)
      throws IOException {
    long length = (long) sectors * SectorPattern.SECTOR;
    guest.announced(
        new Begin(ids.incrementAndGet(), verb, sectors, 0),
        () -> image.pipeline().truncate(length, mode(verb)));
  }

  /** Every other growth comes with its clusters, in each of the ways in turn. */
  private Preallocation mode(Verb verb) {
    boolean plain = verb == Verb.SHRINK || ids.get() % 2 == 0;
    return plain ? Preallocation.OFF : Preallocation.values()[1 + ids.get() / 2 % 3];
  }

  /** Lets several guest threads work on one open image. */
  CrashRun runThreads(int threads, int requests) throws IOException {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try (TestImage image = TestImage.open(host, backing, optionsOf(0))) {
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        CrashWorkload guest = guest(image);
        running.add(
            pool.submit(
                () -> {
                  guest.run(requests / threads);
                  return null;
                }));
      }
      join(running);
    } finally {
      pool.shutdown();
    }
    return this;
  }

  private static void join(List<Future<?>> running) throws IOException {
    for (Future<?> one : running) {
      try {
        one.get();
      } catch (ExecutionException e) {
        throw new IOException("a guest thread failed", e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted", e);
      }
    }
  }

  CrashLog log() {
    return host.log();
  }

  /** Judges what the disk would have left, and lets the driver work on with some of it. */
  CrashJudge judge(int states) {
    return judgeAll(log(), states);
  }

  /** Does the same with what another disk would have left. */
  CrashJudge judgeAll(CrashLog log, int states) {
    CrashJudge judge = newJudge();
    Judge all = new ReopeningJudge(judge, backing);
    if (shape.hasSnapshot()) {
      all = new SnapshotJudge(all, start, below());
    }
    if (takesSnapshots) {
      all = new SnapshotListJudge(all, below());
    }
    if (shape.hasBitmaps()) {
      all = new BitmapJudge(all, start, below());
    }
    CrashStates.replay(log, all, seed, states);
    return judge;
  }

  /** Judges what another disk would have left, the disk alone. */
  CrashJudge judge(CrashLog log, int states) {
    CrashJudge judge = newJudge();
    CrashStates.replay(log, judge, seed, states);
    return judge;
  }

  /** Judges only the bitmaps that another disk would have left. */
  void judgeBitmaps(CrashLog log, int states) {
    Judge nobody =
        new Judge() {
          @Override
          public void guest(Object mark) {
            // The bitmaps alone are judged.
          }

          @Override
          public void judge(PagedBytes state, CrashStates.Kind kind, int position) {
            // As above.
          }
        };
    CrashStates.replay(log, new BitmapJudge(nobody, start, below()), seed, states);
  }

  private CrashJudge newJudge() {
    long[] initial = new long[shape.length() / SectorPattern.SECTOR];
    if (backing != null) {
      int held = Math.min(initial.length, shape.backingLength() / SectorPattern.SECTOR);
      Arrays.fill(initial, 0, held, BACKING_GENERATION);
    }
    Arrays.fill(initial, 0, sharedSectors(), SHARED_GENERATION);
    long below = backing == null ? SectorPattern.ZERO : BACKING_GENERATION;
    return new CrashJudge(initial, below(), below, seed);
  }

  private Qcow2Reader.Backing below() {
    return (backing == null ? new PagedBytes(0) : backing)::read;
  }

  PagedBytes content() {
    return host.content();
  }

  @Override
  public String toString() {
    return shape + " seed " + seed;
  }
}
