// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Compressed clusters as the image file holds them, and how they are coded. */
final class CompressedFile implements AutoCloseable {
  private final BlockIo file;
  private final int clusterBits;
  private final ClusterCodec codec;
  private final ClusterCompressor compressor;

  CompressedFile(BlockIo file, Qcow2Header header) {
    this.file = file;
    this.clusterBits = header.clusterBits();
    this.codec = new ClusterCodec(header.compressionType(), header.clusterSize());
    this.compressor = new ClusterCompressor(header.compressionType());
  }

  int clusterSize() {
    return 1 << clusterBits;
  }

  /** Returns whether any byte of the cluster that an L2 entry points to lies in a range. */
  boolean overlaps(long entry, long hostOffset, long length) {
    CompressedCluster stored = CompressedCluster.decode(entry, clusterBits);
    return stored.hostOffset() < hostOffset + length
        && hostOffset < stored.hostOffset() + stored.lengthBytes();
  }

  /** Returns the compressed bytes that an L2 entry points to, from position 0 to the limit. */
  BouncePool.Bounce read(long entry) throws IOException {
    CompressedCluster stored = CompressedCluster.decode(entry, clusterBits);
    BouncePool.Bounce input = BouncePool.take(stored.lengthBytes());
    boolean done = false;
    try {
      file.read(stored.hostOffset(), input.buffer());
      input.buffer().flip();
      done = true;
      return input;
    } finally {
      if (!done) {
        input.close();
      }
    }
  }

  /** Begins to decompress; {@code input} stays in use until the stream is closed. */
  ClusterCodec.Stream open(BouncePool.Bounce input) {
    return codec.open(input.buffer());
  }

  /**
   * Fills {@code target} with the next bytes of a cluster.
   *
   * @throws IOException if they do not decompress: a read error, but no reason to call the image
   *     corrupt
   */
  void decompress(long entry, ClusterCodec.Stream stream, ByteBuffer target) throws IOException {
    try {
      stream.read(target);
    } catch (CorruptImageException e) {
      String place = Long.toHexString(CompressedCluster.decode(entry, clusterBits).hostOffset());
      throw new BlockException(
          BlockError.IO, "compressed cluster at host offset 0x" + place + ": " + e.getMessage(), e);
    }
  }

  /** Fills {@code target}, which is direct and one cluster long. */
  void readWhole(long entry, ByteBuffer target) throws IOException {
    try (BouncePool.Bounce input = read(entry);
        ClusterCodec.Stream stream = open(input)) {
      decompress(entry, stream, target);
    }
  }

  /**
   * Compresses a cluster.
   *
   * @param cluster direct, all of it
   * @param target direct; from 0 to the limit the compressed bytes afterwards
   * @return false if it does not become shorter by that
   */
  boolean compress(ByteBuffer cluster, ByteBuffer target) {
    target.clear().limit(clusterSize() - 1);
    boolean shrinks = compressor.compress(cluster, target);
    target.flip();
    return shrinks;
  }

  /** Writes compressed bytes; consumes them. */
  void write(long hostOffset, ByteBuffer compressed) throws IOException {
    file.write(hostOffset, compressed, WriteFlags.NONE);
  }

  @Override
  public void close() {
    codec.close();
    compressor.close();
  }
}
