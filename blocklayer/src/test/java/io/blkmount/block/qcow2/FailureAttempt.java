// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Checker.Findings;
import io.blkmount.block.testing.Qcow2Reader;
import io.blkmount.block.testing.SectorPattern;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.Predicate;

/** A copy of a prepared image, one request on it, and one failure of the host below. */
final class FailureAttempt {
  /** A request under test. */
  enum Request {
    /** Allocates: several L2 tables, zero clusters and unallocated ones. */
    WRITE,
    /** Writes where clusters are, with unaligned ends. */
    OVERWRITE,
    /** Writes whole clusters compressed, over two L2 tables of small clusters. */
    COMPRESS,
    ZERO,
    ZERO_UNMAP,
    DISCARD,
    RESERVE,
    GROW,
    /** Grows by clusters that are written. */
    GROW_FULL,
    SHRINK,
    FLUSH
  }

  private final PreparedImage prepared;
  private final Request request;
  private final String context;
  private final MemoryInstance memory;
  private final FaultInstance host;
  private final DiskModel model;
  private final int offset;
  private final int length;
  private final TestImage image;

  FailureAttempt(PreparedImage prepared, Request request, FaultKind kind, int n)
      throws IOException {
    this.prepared = prepared;
    this.request = request;
    this.context = request + " with " + kind + " at host call " + n + ", " + prepared.shape();
    this.memory = prepared.host();
    this.host = new FaultInstance(memory, FaultKind.CALLS, kind.error(), kind.halfWrites());
    this.model = prepared.model();
    int cluster = prepared.shape().clusterSize();
    this.offset = offset(request, cluster);
    this.length = clusters(request) * cluster;
    this.image = TestImage.open(host, prepared.backing());
    if (request == Request.FLUSH) {
      change(Request.WRITE);
      change(Request.DISCARD);
    }
  }

  private static int offset(Request request, int cluster) {
    return switch (request) {
      case OVERWRITE -> cluster + 5;
      case COMPRESS -> 60 * cluster;
      default -> 3 * cluster + 9;
    };
  }

  private static int clusters(Request request) {
    return switch (request) {
      case OVERWRITE -> 2;
      case COMPRESS -> 7;
      default -> 70;
    };
  }

  /** Fails the n-th host call; returns whether there was one. */
  boolean run(FaultKind kind, int n) throws IOException {
    kind.arm(host, n);
    boolean failed = fails();
    boolean tripped = host.tripped();
    host.heal();
    if (failed) {
      assertThat(tripped).as(context).isTrue();
      checkOutside();
      checkImage(Findings::isConsistent, "before the retry");
      if (!image.driver().support().writable()) {
        return tripped; // whether the header was switched is not known
      }
    }
    change(request);
    finish();
    return tripped;
  }

  private boolean fails() {
    try {
      perform(request);
      return false;
    } catch (IOException expected) {
      return true; // the point of the test
    }
  }

  private void perform(Request what) throws IOException {
    switch (what) {
      case WRITE, OVERWRITE -> image.io().write(offset, Images.bytes(length, 9), WriteFlags.NONE);
      case COMPRESS -> image.io().write(offset, compressible(), WriteFlags.COMPRESSED);
      case ZERO -> image.io().writeZeroes(offset, length, WriteFlags.NONE);
      case ZERO_UNMAP -> image.io().writeZeroes(offset, length, WriteFlags.MAY_UNMAP);
      case DISCARD -> image.io().discard(offset, length);
      case RESERVE -> image.pipeline().reserve(offset, length);
      case GROW -> image.pipeline().truncate(grownLength(), Preallocation.OFF);
      case GROW_FULL -> image.pipeline().truncate(grownLength(), Preallocation.FULL);
      case SHRINK -> image.pipeline().truncate(shrunkLength(), Preallocation.OFF);
      case FLUSH -> image.io().flush();
    }
  }

  private ByteBuffer compressible() {
    int sector = SectorPattern.SECTOR;
    return SectorPattern.sectors(offset / sector, length / sector, 9);
  }

  private int grownLength() {
    return prepared.shape().length() * 5 / 2 / 512 * 512;
  }

  /** Ends inside a written cluster, so that its rest has to go as well. */
  private int shrunkLength() {
    return prepared.shape().clusterSize() * 42 + 512;
  }

  private void change(Request what) throws IOException {
    perform(what);
    switch (what) {
      case WRITE, OVERWRITE -> model.write(offset, Images.bytes(length, 9));
      case COMPRESS -> model.write(offset, compressible());
      case ZERO, ZERO_UNMAP -> model.writeZeroes(offset, length);
      case DISCARD -> model.discard(offset, length);
      case GROW, GROW_FULL -> model.truncate(grownLength());
      case SHRINK -> model.truncate(shrunkLength());
      case RESERVE, FLUSH -> {}
    }
  }

  private void checkOutside() throws IOException {
    assertThat(image.io().length()).as(context).isEqualTo(model.length());
    switch (request) {
      case WRITE, OVERWRITE, COMPRESS, ZERO, ZERO_UNMAP, DISCARD -> {
        check(0, offset);
        check(offset + length, model.length() - offset - length);
      }
      case SHRINK -> check(0, shrunkLength());
      case RESERVE, GROW, GROW_FULL, FLUSH -> check(0, model.length());
    }
  }

  private void check(int from, int count) throws IOException {
    model.check(from, Images.read(image.io(), from, count), context);
  }

  private void finish() throws IOException {
    check(0, model.length());
    image.close();
    checkImage(Findings::isClean, "after close");
    Qcow2Reader reader = new Qcow2Reader(memory.content(), prepared.below());
    ByteBuffer all = ByteBuffer.allocate(model.length());
    reader.read(0, all);
    model.check(0, all.flip(), context + " after close");
  }

  private void checkImage(Predicate<Findings> rule, String when) {
    assertThat(Qcow2Checker.check(memory.content())).as(context + " " + when).matches(rule);
  }
}
