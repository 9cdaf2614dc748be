// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.github.luben.zstd.EndDirective;
import com.github.luben.zstd.ZstdCompressCtx;
import java.nio.ByteBuffer;
import java.util.zip.Deflater;

/**
 * Compresses clusters as QEMU does, from any number of threads at once.
 *
 * <p>The JDK's deflate looks back up to 32 KiB, QEMU's only 4 KiB; who inflates a cluster in one
 * call, as QEMU does, reads both.
 */
final class ClusterCompressor implements AutoCloseable {
  /** The library's default, which is QEMU's. */
  private static final int ZSTD_LEVEL = 3;

  private final CoderPool<Encoder> encoders;

  /**
   * Creates a compressor.
   *
   * @param compressionType from the header
   */
  ClusterCompressor(int compressionType) {
    boolean zstd = compressionType == Qcow2Header.COMPRESSION_ZSTD;
    this.encoders = new CoderPool<>(zstd ? ZstdEncoder::new : DeflateEncoder::new);
  }

  private interface Encoder extends CoderPool.Coder {
    boolean encode(ByteBuffer source, ByteBuffer target);
  }

  /**
   * Compresses one cluster.
   *
   * @param source direct, the whole cluster from position to limit
   * @param target direct; its position is behind the compressed bytes afterwards
   * @return whether they fit; if not, target holds nothing of use
   */
  boolean compress(ByteBuffer source, ByteBuffer target) {
    Encoder encoder = encoders.take();
    boolean sound = false;
    try {
      boolean fits = encoder.encode(source, target);
      sound = true;
      return fits;
    } finally {
      if (sound) {
        encoders.giveBack(encoder);
      } else {
        encoder.end();
      }
    }
  }

  @Override
  public void close() {
    encoders.close();
  }

  /** Raw deflate, without zlib's header and checksum. */
  private static final class DeflateEncoder implements Encoder {
    private final Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);

    @Override
    public boolean encode(ByteBuffer source, ByteBuffer target) {
      deflater.setInput(source);
      deflater.finish();
      int count = 1;
      while (count > 0 && target.hasRemaining() && !deflater.finished()) {
        count = deflater.deflate(target);
      }
      return deflater.finished();
    }

    @Override
    public void reset() {
      deflater.reset();
    }

    @Override
    public void end() {
      deflater.end();
    }
  }

  /** One zstd frame. */
  private static final class ZstdEncoder implements Encoder {
    private final ZstdCompressCtx context = new ZstdCompressCtx();

    ZstdEncoder() {
      configure();
    }

    private void configure() {
      context.setLevel(ZSTD_LEVEL);
      context.setChecksum(false); // QEMU takes a frame that has not ended with the cluster for bad
    }

    /** The streaming call says that there is no room; the other one would throw. */
    @Override
    public boolean encode(ByteBuffer source, ByteBuffer target) {
      boolean ended = false;
      while (!ended && target.hasRemaining()) {
        ended = context.compressDirectByteBufferStream(target, source, EndDirective.END);
      }
      return ended;
    }

    @Override
    public void reset() {
      context.reset();
      configure();
    }

    @Override
    public void end() {
      context.close();
    }
  }
}
