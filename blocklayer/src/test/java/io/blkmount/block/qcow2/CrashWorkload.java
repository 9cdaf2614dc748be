// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.GuestModel.Begin;
import io.blkmount.block.testing.GuestModel.End;
import io.blkmount.block.testing.GuestModel.Verb;
import io.blkmount.block.testing.SectorPattern;
import java.io.IOException;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;

/** One guest thread: random requests on whole sectors, each announced to the host's log. */
final class CrashWorkload {
  private static final int[] COUNTS = {1, 1, 2, 4, 7, 8, 8, 16, 32, 64, 128};

  private final CrashInstance host;
  private final BlockIo io;
  private final SplittableRandom random;
  private final AtomicInteger ids;
  private final Request fault;

  CrashWorkload(
      CrashInstance host, BlockIo io, SplittableRandom random, AtomicInteger ids, Request fault) {
    this.fault = fault;
    this.host = host;
    this.io = io;
    this.random = random;
    this.ids = ids;
  }

  /** A request as the guest sends it. */
  interface Request {
    void run() throws IOException;
  }

  void run(int requests) throws IOException {
    for (int i = 0; i < requests; i++) {
      request();
      fault.run();
    }
  }

  private void request() throws IOException {
    int kind = random.nextInt(100);
    if (kind < 68) {
      onRange(Verb.WRITE);
    } else if (kind < 76) {
      onRange(Verb.ZERO);
    } else if (kind < 85) {
      onRange(Verb.DISCARD);
    } else {
      flush();
    }
  }

  private void onRange(Verb verb) throws IOException {
    int sectors = (int) (io.length() / SectorPattern.SECTOR);
    int count = COUNTS[random.nextInt(COUNTS.length)];
    int sector = random.nextInt(sectors - count);
    if (random.nextInt(5) < 2) {
      count = Math.max(8, count & ~7);
      sector = Math.min(sector & ~7, sectors - count);
    }
    if (random.nextBoolean()) {
      sector = Math.min(sector % (sectors / 8), sectors - count); // a hot eighth: overwrites
    }
    send(verb, sector, count);
  }

  private void send(Verb verb, int sector, int count) throws IOException {
    long offset = (long) sector * SectorPattern.SECTOR;
    long length = (long) count * SectorPattern.SECTOR;
    int id = ids.incrementAndGet();
    WriteFlags flags = random.nextBoolean() ? WriteFlags.NONE : WriteFlags.MAY_UNMAP;
    announced(
        new Begin(id, verb, sector, count),
        () -> {
          switch (verb) {
            case WRITE ->
                io.write(offset, SectorPattern.sectors(sector, count, id), WriteFlags.NONE);
            case ZERO -> io.writeZeroes(offset, length, flags);
            default -> io.discard(offset, length);
          }
        });
  }

  void flush() throws IOException {
    announced(new Begin(ids.incrementAndGet(), Verb.FLUSH, 0, 0), io::flush);
  }

  /** Runs a request between its two marks. */
  void announced(Begin begin, Request request) throws IOException {
    host.mark(begin);
    request.run();
    host.mark(new End(begin.id()));
  }
}
