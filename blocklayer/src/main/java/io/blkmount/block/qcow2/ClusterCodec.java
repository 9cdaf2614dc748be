// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
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

  private final int compressionType;
  private final int clusterSize;
  private final CoderPool<Decoder> decoders;

  /**
   * Creates a codec.
   *
   * @param compressionType from the header
   * @param clusterSize in bytes
   */
  ClusterCodec(int compressionType, int clusterSize) {
    this.compressionType = compressionType;
    this.clusterSize = clusterSize;
    this.decoders = new CoderPool<>(isZstd() ? ZstdDecoder::new : DeflateDecoder::new);
  }

  private interface Decoder extends CoderPool.Coder {
    /** Decodes until the target is full or the input has ended; goes on with the next call. */
    void decode(ByteBuffer source, ByteBuffer target) throws IOException;
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
    try (Stream stream = open(source)) {
      stream.read(target);
    }
  }

  /**
   * Begins to decompress one cluster, for a caller that may not want all of it.
   *
   * @param source as for {@link #decompress}; it stays in use until the stream is closed
   */
  Stream open(ByteBuffer source) {
    return new Stream(decoders.take(), source);
  }

  /** A cluster being decompressed from its start on, by one thread at a time. */
  final class Stream implements AutoCloseable {
    private final Decoder decoder;
    private final ByteBuffer source;
    private int decodedBytes;
    private boolean sound = true;

    private Stream(Decoder decoder, ByteBuffer source) {
      this.decoder = decoder;
      this.source = source;
    }

    /**
     * Decompresses the next bytes of the cluster.
     *
     * @param target direct, filled from position to limit
     * @throws CorruptImageException as for {@link ClusterCodec#decompress}; the stream is of no use
     *     then
     */
    void read(ByteBuffer target) throws IOException {
      int start = target.position();
      sound = false;
      decoder.decode(source, target);
      decodedBytes += target.position() - start;
      if (target.hasRemaining()) {
        throw fault("the stream ends after " + decodedBytes + " bytes");
      }
      sound = true;
    }

    /** Gives the decoder back; one that has failed is not used again. */
    @Override
    public void close() {
      if (sound) {
        decoders.giveBack(decoder);
      } else {
        decoder.end();
      }
    }
  }

  /** Ends idle decoders; those in use end when their thread is done. */
  @Override
  public void close() {
    decoders.close();
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
    private boolean begun;
    private boolean padded;

    @Override
    public void decode(ByteBuffer source, ByteBuffer target) throws IOException {
      if (!begun) {
        inflater.setInput(source);
        begun = true;
      }
      try {
        inflate(target);
      } catch (DataFormatException e) {
        throw fault("not a deflate stream: " + e.getMessage());
      }
    }

    private void inflate(ByteBuffer target) throws DataFormatException {
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
    public void reset() {
      inflater.reset();
      begun = false;
      padded = false;
    }

    @Override
    public void end() {
      inflater.end();
    }
  }

  /** One or more zstd frames, one after the other. */
  private final class ZstdDecoder implements Decoder {
    private final ZstdDecompressCtx context = new ZstdDecompressCtx();

    ZstdDecoder() {
      context.setLongMax(MAX_ZSTD_WINDOW_BITS);
    }

    @Override
    public void decode(ByteBuffer source, ByteBuffer target) throws IOException {
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
    public void reset() {
      context.reset();
      context.setLongMax(MAX_ZSTD_WINDOW_BITS);
    }

    @Override
    public void end() {
      context.close();
    }
  }
}
