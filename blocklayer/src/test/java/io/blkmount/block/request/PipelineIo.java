// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A pipeline as byte I/O, as the graph will hand it out. */
record PipelineIo(RequestPipeline pipeline) implements BlockIo {
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
}
