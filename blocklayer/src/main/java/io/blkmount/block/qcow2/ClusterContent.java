// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Reads what clusters hold, whatever their kind. */
final class ClusterContent implements AutoCloseable {
  private final Metadata metadata;
  private final ClusterCodec codec;
  private volatile @Nullable BlockIo backing;

  ClusterContent(Metadata metadata) {
    this.metadata = metadata;
    this.codec =
        new ClusterCodec(metadata.header().compressionType(), metadata.geometry().clusterSize());
  }

  void attachBacking(@Nullable BlockIo node) {
    backing = node;
  }

  boolean hasBacking() {
    return backing != null;
  }

  /** Returns how long the backing file is, 0 without one. */
  long backingLength() throws IOException {
    BlockIo node = backing;
    return node == null ? 0 : node.length();
  }

  /** Returns whether all bytes from {@code guestOffset} on are zeros by what the metadata says. */
  boolean readsZero(ClusterRun run, long guestOffset) throws IOException {
    return run.isZero() || run.kind() == L2Entry.Kind.UNALLOCATED && guestOffset >= backingLength();
  }

  /**
   * Fills {@code target} with the bytes from {@code guestOffset} on, which lie in the clusters of
   * {@code run} (a compressed run is one cluster).
   */
  void read(ClusterRun run, long guestOffset, ByteBuffer target) throws IOException {
    switch (run.kind()) {
      case NORMAL -> metadata.file().read(run.hostOffsetOf(guestOffset), target);
      case COMPRESSED -> readCompressed(run, guestOffset, target);
      case ZERO_PLAIN, ZERO_ALLOCATED -> Zeroes.fill(target);
      case UNALLOCATED -> readBacking(guestOffset, target);
    }
  }

  private void readBacking(long guestOffset, ByteBuffer target) throws IOException {
    BlockIo node = backing;
    if (node == null) {
      Zeroes.fill(target);
    } else {
      node.read(guestOffset, target);
    }
  }

  private void readCompressed(ClusterRun run, long guestOffset, ByteBuffer target)
      throws IOException {
    CompressedCluster stored =
        CompressedCluster.decode(run.entry(), metadata.geometry().clusterBits());
    try (BouncePool.Bounce input = BouncePool.take(stored.lengthBytes());
        BouncePool.Bounce output = BouncePool.take(metadata.geometry().clusterSize())) {
      metadata.file().read(stored.hostOffset(), input.buffer());
      decompress(stored, input.buffer().flip(), output.buffer());
      int inCluster = metadata.geometry().offsetInCluster(guestOffset);
      target.put(output.buffer().slice(inCluster, target.remaining()));
    }
  }

  /** A stream that does not decompress is a read error, but no reason to call the image corrupt. */
  private void decompress(CompressedCluster stored, ByteBuffer input, ByteBuffer output)
      throws IOException {
    try {
      codec.decompress(input, output);
    } catch (CorruptImageException e) {
      throw new BlockException(
          BlockError.IO,
          "compressed cluster at host offset 0x"
              + Long.toHexString(stored.hostOffset())
              + ": "
              + e.getMessage(),
          e);
    }
  }

  @Override
  public void close() {
    codec.close();
  }
}
