// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.request.RequestPipeline;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A node without the graph: its pipeline as byte I/O.
 *
 * @param pipeline in front of the node's driver
 * @param name for messages
 */
record PipelineChild(RequestPipeline pipeline, String name) implements ChildOpener.Child {
  @Override
  public long length() throws IOException {
    return pipeline.length();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    pipeline.read(offset, target);
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    pipeline.write(offset, source, flags);
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) throws IOException {
    pipeline.writeZeroes(offset, length, flags);
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    pipeline.discard(offset, length);
  }

  @Override
  public Extent extentAt(long offset, long maxLength) throws IOException {
    return pipeline.layerExtentAt(offset, maxLength);
  }

  @Override
  public void flush() throws IOException {
    pipeline.flush();
  }

  @Override
  public void writeBack() throws IOException {
    pipeline.writeBack();
  }

  @Override
  public void truncate(long length, Preallocation preallocation) throws IOException {
    pipeline.truncate(length, preallocation);
  }

  @Override
  public void reserve(long offset, long length) throws IOException {
    pipeline.reserve(offset, length);
  }

  @Override
  public long allocatedBytes() throws IOException {
    return pipeline.instance().allocatedBytes();
  }

  @Override
  public Support support() {
    return pipeline.support();
  }

  @Override
  public BlockLimits limits() {
    return pipeline.limits();
  }
}
