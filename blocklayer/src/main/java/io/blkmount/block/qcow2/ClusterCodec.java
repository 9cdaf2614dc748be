// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.function.Supplier;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Decompresses clusters, from any number of threads at once.
 *
 * <p>Decoders hold native memory (about 40 KiB for deflate, 160 KiB and the window for zstd), so
 * idle ones are kept, few of them, and ended with the codec.
 */
final class ClusterCodec implements AutoCloseable {
  /** A frame that wants more could make us allocate gigabytes; a cluster has at most 2 MiB. */
  static final int MAX_ZSTD_WINDOW_BITS = 23;

  private static final int IDLE_DECODERS = 8;

  private final int compressionType;
  private final int clusterSize;
  private final ArrayBlockingQueue<Decoder> idle = new ArrayBlockingQueue<>(IDLE_DECODERS);
  private final Supplier<Decoder> decoders;
  private volatile boolean closed;

  /**
   * Creates a codec.
   *
   * @param compressionType from the header
   * @param clusterSize in bytes
   */
  ClusterCodec(int compressionType, int clusterSize) {
    this.compressionType = compressionType;
    this.clusterSize = clusterSize;
    this.decoders = isZstd() ? ZstdDecoder::new : DeflateDecoder::new;
  }

  /** One native decoder, used by one thread at a time. */
  private interface Decoder {
    /** Decodes until the target is full; what is left of it is missing. */
    void decode(ByteBuffer source, ByteBuffer target) throws IOException;

    void end();
  }

  /**
   * Decompresses one cluster. Input behind the end of the cluster is ignored.
   *
   * @param source direct, the compressed bytes from position to limit, up to the end of the last
   *     sector
   * @param target direct, from position to limit exactly one cluster
   * @throws CorruptImageException if the bytes are no valid stream, or end before the cluster is
   *     full
   */
  void decompress(ByteBuffer source, ByteBuffer target) throws IOException {
    if (target.remaining() != clusterSize) {
      throw new IllegalArgumentException(target.remaining() + " is not " + clusterSize);
    }
    Decoder decoder = idle.poll();
    decoder = decoder != null ? decoder : decoders.get();
    try {
      decoder.decode(source, target);
    } catch (IOException | RuntimeException failure) {
      decoder.end();
      throw failure;
    }
    if (target.hasRemaining()) {
      decoder.end();
      throw fault("the stream ends after " + (clusterSize - target.remaining()) + " bytes");
    }
    keep(decoder);
  }

  /** Ends idle decoders; those in use end when their thread is done. */
  @Override
  public void close() {
    closed = true;
    endIdle();
  }

  private void keep(Decoder decoder) {
    if (!idle.offer(decoder)) {
      decoder.end();
    }
    if (closed) {
      endIdle();
    }
  }

  private void endIdle() {
    for (Decoder decoder = idle.poll(); decoder != null; decoder = idle.poll()) {
      decoder.end();
    }
  }

  private boolean isZstd() {
    return compressionType == Qcow2Header.COMPRESSION_ZSTD;
  }

  private CorruptImageException fault(String problem) {
    return new CorruptImageException(
        String.format(
            "compressed cluster (%s): %s, a cluster has %d bytes",
            isZstd() ? "zstd" : "zlib", problem, clusterSize));
  }

  /** Raw deflate, without zlib's header and checksum. */
  private final class DeflateDecoder implements Decoder {
    private final Inflater inflater = new Inflater(true);

    @Override
    public void decode(ByteBuffer source, ByteBuffer target) throws IOException {
      inflater.setInput(source);
      try {
        inflate(target);
        inflater.reset(); // lets go of the buffer
      } catch (DataFormatException e) {
        throw fault("not a deflate stream: " + e.getMessage());
      }
    }

    private void inflate(ByteBuffer target) throws DataFormatException {
      boolean padded = false;
      while (target.hasRemaining()) {
        int count = inflater.inflate(target);
        if (count > 0) {
          continue;
        }
        if (inflater.finished() || inflater.needsDictionary() || padded) {
          return;
        }
        // Without zlib's checksum the inflater may want to see one byte behind the stream.
        inflater.setInput(new byte[1]);
        padded = true;
      }
    }

    @Override
    public void end() {
      inflater.end();
    }
  }

  /** One or more zstd frames, one after the other. */
  private final class ZstdDecoder implements Decoder {
    private final ZstdDecompressCtx context = new ZstdDecompressCtx();

    @Override
    public void decode(ByteBuffer source, ByteBuffer target) throws IOException {
      context.reset();
      context.setLongMax(MAX_ZSTD_WINDOW_BITS);
      try {
        decodeFrames(source, target);
      } catch (ZstdException e) {
        throw fault("not a zstd stream: " + e.getMessage());
      }
    }

    private void decodeFrames(ByteBuffer source, ByteBuffer target) {
      boolean progress = true;
      while (target.hasRemaining() && progress) {
        int before = source.remaining() + target.remaining();
        context.decompressDirectByteBufferStream(target, source);
        progress = source.remaining() + target.remaining() < before;
      }
    }

    @Override
    public void end() {
      context.close();
    }
  }
}
