// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Reader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** An image in files in memory that is opened and closed, and the plain array beside it. */
final class ModelDisk {
  private static final int[] HOST_ALIGNMENTS = {1, 512, 4096};

  private final TestImage.Options options;
  private final @Nullable PagedBytes backing;
  private final MemoryInstance host;
  private final @Nullable MemoryInstance data;
  private final DiskModel model;
  private final int clusterSize;
  private final boolean isVersion3;
  private final boolean isRaw;
  private TestImage image;

  ModelDisk(ModelStart start, TestImage.Options options, SplittableRandom random)
      throws IOException {
    this.options = options;
    this.backing = start.backing();
    int alignment = HOST_ALIGNMENTS[random.nextInt(3)];
    this.host = MemoryInstance.file(start.file().copy(), alignment);
    PagedBytes outside = start.data();
    this.data = outside == null ? null : MemoryInstance.file(outside.copy(), alignment);
    Qcow2Reader reader = reader();
    this.clusterSize = reader.layout().clusterSize();
    this.isVersion3 = reader.layout().version() == 3;
    long autoclear = start.file().getLong(Qcow2Header.AUTOCLEAR_FEATURES_AT);
    this.isRaw = isVersion3 && (autoclear & FeatureBits.RAW_EXTERNAL_DATA) != 0;
    this.model = new DiskModel((int) reader.length());
    model.write(0, all(reader));
    this.image = opened(true);
  }

  private Qcow2Reader reader() throws IOException {
    PagedBytes content = host.content();
    PagedBytes below = backing == null ? new PagedBytes(0) : backing;
    return new Qcow2Reader(content, data == null ? content : data.content(), below::read);
  }

  private static ByteBuffer all(Qcow2Reader reader) throws IOException {
    ByteBuffer all = ByteBuffer.allocate((int) reader.length());
    reader.read(0, all);
    return all.flip();
  }

  private TestImage opened(boolean writable) throws IOException {
    ChildOpener children = ImageFiles.over(host, data == null ? host : data);
    return TestImage.open(children, writable, backing, options);
  }

  void open(boolean writable) throws IOException {
    image = opened(writable);
  }

  void close() throws IOException {
    image.close();
  }

  TestImage image() {
    return image;
  }

  BlockIo io() {
    return image.io();
  }

  TestImage.Options options() {
    return options;
  }

  boolean unmaps() {
    return options.discard() == DiscardMode.UNMAP;
  }

  DiskModel model() {
    return model;
  }

  int clusterSize() {
    return clusterSize;
  }

  PagedBytes content() {
    return host.content();
  }

  ModelStart files() {
    return new ModelStart(host.content(), data == null ? null : data.content(), backing);
  }

  /** Compares what an extent says with the model, and with the host file that it points into. */
  void checkExtent(int offset, int length, Object context) throws IOException {
    Extent extent = io().extentAt(offset, length);
    int run = (int) extent.length();
    assertThat(extent.offset()).isEqualTo(offset);
    assertThat(run).as("%s", context).isBetween(1, length);
    if (extent.kind() == Extent.Kind.ZERO) {
      model.check(offset, Images.read(io(), offset, run), context);
      assertThat(model.bytes(offset, run)).as("%s", context).containsOnly(0);
    } else if (extent.kind() == Extent.Kind.DATA && extent.hostOffset() >= 0) {
      io().flush();
      byte[] stored = (data == null ? host : data).bytes(extent.hostOffset(), run);
      model.check(offset, ByteBuffer.wrap(stored), context);
    }
  }

  /** Snapshots of version 2 have no length of their own. */
  boolean canResize(boolean hasNoSnapshots) {
    return isVersion3 || hasNoSnapshots;
  }

  /** Fails unless the disk keeps its length. */
  void requireRefused(int length, Preallocation mode, Object context) throws IOException {
    assertThatThrownBy(() -> image.pipeline().truncate(length, mode))
        .as("%s", context)
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.NOT_SUPPORTED));
    assertThat(io().length()).isEqualTo(model.length());
  }

  /** Fails unless the closed image is clean, and it and its snapshots are as they should be. */
  void requireSound(Collection<ModelSnapshots.Kept> snapshots, Object context) throws IOException {
    PagedBytes content = host.content();
    assertThat(Qcow2Checker.check(content))
        .as("%s", context)
        .matches(Qcow2Checker.Findings::isClean);
    Qcow2Reader reader = reader();
    assertThat(reader.length()).as("%s", context).isEqualTo(model.length());
    model.check(0, all(reader), context + " after close");
    int index = 0;
    for (ModelSnapshots.Kept expected : snapshots) {
      ByteBuffer shown = all(reader.snapshot(index++));
      assertThat(shown.equals(ByteBuffer.wrap(expected.disk())))
          .as("%s: snapshot %d is as it was", context, index)
          .isTrue();
    }
    if (data != null && isRaw) {
      byte[] raw = data.bytes(0, model.length());
      assertThat(ByteBuffer.wrap(raw).equals(ByteBuffer.wrap(model.bytes(0, model.length()))))
          .as("%s: the data file is the disk", context)
          .isTrue();
    }
  }
}
