// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A header area that is a piece of a file. */
final class FileArea implements HeaderArea, Closeable {
  private final FileChannel channel;
  private final long start;
  private final long length;

  FileArea(Path file, long start, long length) throws IOException {
    this.channel =
        FileChannel.open(
            file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE);
    this.start = start;
    this.length = length;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    while (target.hasRemaining()) {
      int count = channel.read(target, start + offset + target.position());
      if (count < 0) {
        throw new EOFException("file ends before " + target.limit() + " bytes at " + offset);
      }
    }
  }

  /** Returns a piece of the file. */
  byte[] bytes(long offset, int count) throws IOException {
    ByteBuffer piece = ByteBuffer.allocate(count);
    read(offset, piece);
    return piece.array();
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    channel.write(source, start + offset);
  }

  @Override
  public void flush() throws IOException {
    channel.force(false);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
