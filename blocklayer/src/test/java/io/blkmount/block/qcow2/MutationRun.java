// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.request.PipelineOptions;
import io.blkmount.block.request.RequestPipeline;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Everything that is done with a damaged image. Each step works, or fails with one line; nothing
 * that reads changes the file, and nothing makes it grow without measure.
 */
final class MutationRun {
  private static final Set<Kind> READING = EnumSet.of(Kind.READ, Kind.CLOSE);
  private static final int MAX_EXTENTS = 200;
  private static final int PIECE = 64 << 10;
  private static final int MAX_GROWTH = 64 << 20;
  private static final int MAX_MESSAGE = 5_000;

  private final PagedBytes image;
  private final String context;

  MutationRun(PagedBytes image, String context) {
    this.image = image;
    this.context = context;
  }

  /** Something that may fail. */
  private interface Step {
    void run() throws IOException;
  }

  /** Runs all; returns whether the image could be opened. */
  boolean run() {
    RecordingInstance host = new RecordingInstance(MemoryInstance.file(image.copy(), 1));
    boolean opened = attempt(() -> use(host, false, MutationRun::read));
    attempt(() -> check(host));
    assertThat(host.calls()).as(context).allMatch(call -> READING.contains(call.kind()));
    MemoryInstance written = MemoryInstance.file(image.copy(), 1);
    attempt(() -> use(written, true, this::change));
    assertThat(written.content().length() - image.length()).as(context).isLessThan(MAX_GROWTH);
    attempt(() -> check(written));
    attempt(this::repair);
    return opened;
  }

  private boolean attempt(Step step) {
    try {
      step.run();
      return true;
    } catch (IOException e) {
      assertThat(e.getMessage())
          .as(context)
          .isNotBlank()
          .hasSizeLessThan(MAX_MESSAGE)
          .doesNotContainPattern("\\p{Cntrl}");
      return false;
    }
  }

  /** What is done with an open disk. */
  private interface Use {
    void of(RequestPipeline disk) throws IOException;
  }

  private static void use(DriverInstance host, boolean writable, Use use) throws IOException {
    PipelineOptions options =
        writable ? PipelineOptions.writable("file") : PipelineOptions.readOnly("file");
    RequestPipeline file = new RequestPipeline(host, options);
    PipelineChild child = new PipelineChild(file, "test.qcow2");
    RequestPipeline data = new RequestPipeline(MemoryInstance.ofLength(1 << 20), options);
    DriverOptions driverOptions = new DriverOptions("test.qcow2", writable, Map.of());
    AnyFiles files = new AnyFiles(child, new PipelineChild(data, "data"));
    try (DriverInstance driver = new Qcow2Driver().open(driverOptions, files)) {
      use.of(new RequestPipeline(driver, options));
    }
  }

  /** Whatever the header calls its data file, it is this one. */
  private record AnyFiles(Child file, Child data) implements ChildOpener {
    @Override
    public Child open(ChildRole role) {
      return file;
    }

    @Override
    public Child openData(@Nullable String name) {
      return data;
    }
  }

  /** Reads the first extents, and the end; a failure is passed over, as a guest would. */
  private static void read(RequestPipeline disk) throws IOException {
    long length = disk.length();
    IOException last = null;
    long at = 0;
    for (int i = 0; i < MAX_EXTENTS && at < length; i++) {
      long next = Math.min(length, at + PIECE);
      try {
        Extent extent = disk.layerExtentAt(at, length - at);
        next = Math.min(extent.end(), at + PIECE);
        disk.read(at, ByteBuffer.allocateDirect((int) (next - at)));
        next = extent.isAllocated() ? next : extent.end();
      } catch (IOException e) {
        last = e;
      }
      at = next;
    }
    if (length > 0) {
      disk.read(length - 1, ByteBuffer.allocateDirect(1));
    }
    if (last != null) {
      throw last;
    }
  }

  private void change(RequestPipeline disk) {
    long length = lengthOf(disk);
    if (length > PIECE) {
      attempt(() -> disk.write(512, Images.bytes(1000, 1), WriteFlags.NONE));
      attempt(() -> disk.write(length / 3, Images.bytes(5000, 2), WriteFlags.NONE));
      attempt(() -> compress(disk));
      attempt(() -> disk.writeZeroes(length / 2, PIECE / 2, WriteFlags.MAY_UNMAP));
      attempt(() -> disk.discard(0, PIECE));
      attempt(() -> disk.reserve(length - PIECE, PIECE));
      attempt(disk::flush);
      attempt(() -> disk.truncate(length + 512, Preallocation.OFF));
      attempt(() -> disk.truncate(length - 1024, Preallocation.OFF));
      attempt(disk::flush);
    }
  }

  private static void compress(RequestPipeline disk) throws IOException {
    int clusterSize = disk.limits().clusterSize();
    disk.write(clusterSize, Images.compressible(clusterSize, 3), WriteFlags.COMPRESSED);
  }

  private static long lengthOf(RequestPipeline disk) {
    try {
      return disk.length();
    } catch (IOException e) {
      throw new AssertionError("the length is in memory", e);
    }
  }

  /** Puts right what can be. */
  private void repair() throws IOException {
    MemoryInstance host = MemoryInstance.file(image.copy(), 1);
    RequestPipeline file = new RequestPipeline(host, PipelineOptions.writable("file"));
    PipelineChild child = new PipelineChild(file, "test.qcow2");
    CheckResult left =
        new Qcow2Driver().repair("test.qcow2", child, RepairMode.ALL, MutationRun::requireLine);
    assertThat(host.content().length() - image.length()).as(context).isLessThan(MAX_GROWTH);
    assertThat(left.corruptions()).as(context).isNotNegative();
  }

  private static void requireLine(CheckFinding finding) {
    assertThat(finding.text())
        .isNotBlank()
        .hasSizeLessThan(MAX_MESSAGE)
        .doesNotContainPattern("\\p{Cntrl}");
  }

  private static void check(DriverInstance host) throws IOException {
    RequestPipeline file = new RequestPipeline(host, PipelineOptions.readOnly("file"));
    CheckResult result =
        new Qcow2Driver()
            .check("test.qcow2", new PipelineChild(file, "test.qcow2"), MutationRun::requireLine);
    assertThat(result.corruptions()).isNotNegative();
  }
}
