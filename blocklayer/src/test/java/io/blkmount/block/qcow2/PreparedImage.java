// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Reader;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * An image with clusters of every kind, from which many tests start.
 *
 * @param shape of the image
 * @param content of its file
 * @param backing what lies below, or null
 * @param guest what a guest sees
 */
record PreparedImage(
    ImageShape shape, PagedBytes content, @Nullable PagedBytes backing, PagedBytes guest) {
  static PreparedImage of(ImageShape shape) throws IOException {
    ModelRun run = ModelRun.of(shape, TestImage.Options.DEFAULT, 3);
    int cluster = shape.clusterSize();
    run.write(0, 24 * cluster);
    run.zero(4 * cluster, 2 * cluster);
    run.discard(7 * cluster, 2 * cluster);
    run.write(40 * cluster + 7, 3 * cluster);
    if (shape.isCompressed()) {
      run.write(50 * cluster, 12 * cluster);
      run.write(63 * cluster, 2 * cluster);
    }
    PagedBytes content = run.finish();
    if (shape.hasSnapshot()) {
      content = SnapshotImages.take(content, run.backing(), "first");
    }
    return new PreparedImage(shape, content, run.backing(), run.expected());
  }

  MemoryInstance host() {
    return MemoryInstance.file(content.copy(), 1);
  }

  DiskModel model() {
    DiskModel model = new DiskModel(shape.length());
    model.write(0, ByteBuffer.wrap(guest.bytes(0, shape.length())));
    return model;
  }

  Qcow2Reader.Backing below() {
    return (backing == null ? new PagedBytes(0) : backing)::read;
  }
}
