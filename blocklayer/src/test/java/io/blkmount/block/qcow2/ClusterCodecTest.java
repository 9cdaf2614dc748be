// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.Deflater;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ClusterCodecTest {
  private static final int CLUSTER = 65536;
  private static final long L2_OFFSET_MASK = 0x00fffffffffffe00L;

  @TempDir Path folder;

  @ParameterizedTest(name = "{0}, cluster size {1}")
  @CsvSource({
    "zlib,512", "zlib,4096", "zlib,65536", "zlib,2097152",
    "zstd,512", "zstd,4096", "zstd,65536", "zstd,2097152"
  })
  void decodesWhatQemuImgCompressed(String type, int clusterSize) throws IOException {
    byte[] disk = halfRandom(Math.max(8 * clusterSize, 1 << 20), 42);
    Files.write(folder.resolve("disk.raw"), disk);
    String options = "cluster_size=" + clusterSize + ",compression_type=" + type;
    Path source = folder.resolve("disk.raw");
    Path image = folder.resolve("c.qcow2");
    QemuImg.img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, source, image);

    int compressed = compareCompressedClusters(Files.readAllBytes(image), disk);

    assertThat(compressed).as("compressed clusters").isGreaterThan(3);
  }

  @Test
  void ignoresInputBehindTheCluster() throws IOException {
    byte[] cluster = halfRandom(CLUSTER, 1);
    byte[] stream = deflate(cluster);
    byte[] withTail = Arrays.copyOf(stream, stream.length + 511);
    Arrays.fill(withTail, stream.length, withTail.length, (byte) 0xff);

    assertThat(decompress(Qcow2Header.COMPRESSION_ZLIB, withTail)).isEqualTo(cluster);
    assertThat(decompress(Qcow2Header.COMPRESSION_ZLIB, stream)).isEqualTo(cluster);
  }

  @Test
  void stopsWhenTheClusterIsFull() throws IOException {
    byte[] twoClusters = new byte[2 * CLUSTER];

    assertThat(decompress(Qcow2Header.COMPRESSION_ZLIB, deflate(twoClusters)))
        .isEqualTo(new byte[CLUSTER]);
    assertThat(decompress(Qcow2Header.COMPRESSION_ZSTD, Zstd.compress(twoClusters)))
        .isEqualTo(new byte[CLUSTER]);
  }

  @Test
  void joinsZstdFrames() throws IOException {
    byte[] frame = Zstd.compress(new byte[CLUSTER / 2]);
    byte[] twice = ByteBuffer.allocate(2 * frame.length).put(frame).put(frame).array();

    assertThat(decompress(Qcow2Header.COMPRESSION_ZSTD, twice)).isEqualTo(new byte[CLUSTER]);
  }

  @ParameterizedTest(name = "type {0}")
  @ValueSource(ints = {Qcow2Header.COMPRESSION_ZLIB, Qcow2Header.COMPRESSION_ZSTD})
  void refusesStreamsThatEndEarly(int type) {
    byte[] half = new byte[1000];
    byte[] stream = type == Qcow2Header.COMPRESSION_ZLIB ? deflate(half) : Zstd.compress(half);

    assertThatThrownBy(() -> decompress(type, stream))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("the stream ends after 1000 bytes, a cluster has 65536 bytes");
    assertThatThrownBy(() -> decompress(type, new byte[0]))
        .isInstanceOf(CorruptImageException.class);
    assertThatThrownBy(() -> decompress(type, new byte[512]))
        .isInstanceOf(CorruptImageException.class);
  }

  /** The descriptor 0xa8 asks for a window of 2 GiB. */
  @Test
  void refusesLargeZstdWindows() {
    byte[] stream = Arrays.copyOf(HexFormat.of().parseHex("28b52ffd00a8010000"), 512);

    assertThatThrownBy(() -> decompress(Qcow2Header.COMPRESSION_ZSTD, stream))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("compressed cluster (zstd): not a zstd stream");
  }

  @ParameterizedTest(name = "type {0}")
  @ValueSource(ints = {Qcow2Header.COMPRESSION_ZLIB, Qcow2Header.COMPRESSION_ZSTD})
  void damagedStreamsGiveNothingButAnError(int type) throws Exception {
    byte[] cluster = halfRandom(CLUSTER, 7);
    byte[] good = type == Qcow2Header.COMPRESSION_ZLIB ? deflate(cluster) : Zstd.compress(cluster);
    try (ClusterCodec codec = new ClusterCodec(type, CLUSTER)) {
      for (int seed = 0; seed < 500; seed++) {
        byte[] bad = good.clone();
        Random random = new Random(seed);
        for (int i = random.nextInt(8); i >= 0; i--) {
          bad[random.nextInt(i % 2 == 0 ? 64 : bad.length)] = (byte) random.nextInt();
        }
        try {
          codec.decompress(direct(bad), ByteBuffer.allocateDirect(CLUSTER));
        } catch (CorruptImageException expected) {
          assertThat(expected).as("seed %d", seed).hasMessageContaining("compressed cluster");
        }
        ByteBuffer target = ByteBuffer.allocateDirect(CLUSTER);
        codec.decompress(direct(good), target);
        assertThat(target.flip()).as("seed %d", seed).isEqualTo(ByteBuffer.wrap(cluster));
      }
    }
  }

  @ParameterizedTest(name = "type {0}")
  @ValueSource(ints = {Qcow2Header.COMPRESSION_ZLIB, Qcow2Header.COMPRESSION_ZSTD})
  void servesManyThreads(int type) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(16);
    try (ClusterCodec codec = new ClusterCodec(type, CLUSTER)) {
      List<Callable<ByteBuffer>> tasks = new ArrayList<>();
      List<ByteBuffer> expected = new ArrayList<>();
      for (int seed = 0; seed < 64; seed++) {
        byte[] cluster = halfRandom(CLUSTER, seed);
        boolean zlib = type == Qcow2Header.COMPRESSION_ZLIB;
        byte[] stream = zlib ? deflate(cluster) : Zstd.compress(cluster);
        expected.add(ByteBuffer.wrap(cluster));
        tasks.add(
            () -> {
              ByteBuffer target = ByteBuffer.allocateDirect(CLUSTER);
              codec.decompress(direct(stream), target);
              return target.flip();
            });
      }

      List<ByteBuffer> clusters = new ArrayList<>();
      for (Future<ByteBuffer> cluster : threads.invokeAll(tasks)) {
        clusters.add(cluster.get());
      }

      assertThat(clusters).isEqualTo(expected);
    } finally {
      threads.shutdownNow();
    }
  }

  /** Walks the tables of an image and returns the number of compressed clusters. */
  private static int compareCompressedClusters(byte[] file, byte[] disk) throws IOException {
    ByteBuffer image = ByteBuffer.wrap(file);
    Qcow2Header header = Qcow2Header.parse("c.qcow2", image, file.length);
    int clusterSize = header.clusterSize();
    int compressed = 0;
    try (ClusterCodec codec = new ClusterCodec(header.compressionType(), clusterSize)) {
      for (int index = 0; index < disk.length / clusterSize; index++) {
        long entry = l2Entry(image, header, index);
        if ((entry & (1L << 62)) != 0) {
          ByteBuffer expected = ByteBuffer.wrap(disk, index * clusterSize, clusterSize);
          assertThat(decompress(codec, file, entry, header)).isEqualTo(expected);
          compressed++;
        }
      }
    }
    return compressed;
  }

  private static long l2Entry(ByteBuffer image, Qcow2Header header, int clusterIndex) {
    int entries = header.clusterSize() / Long.BYTES;
    int l1At = (int) header.l1TableOffset() + clusterIndex / entries * Long.BYTES;
    long l2Offset = image.getLong(l1At) & L2_OFFSET_MASK;
    return l2Offset == 0 ? 0 : image.getLong((int) l2Offset + clusterIndex % entries * Long.BYTES);
  }

  private static ByteBuffer decompress(
      ClusterCodec codec, byte[] file, long l2Entry, Qcow2Header header) throws IOException {
    CompressedCluster cluster = CompressedCluster.decode(l2Entry, header.clusterBits());
    assertThat(cluster.encode(header.clusterBits())).isEqualTo(l2Entry);
    int available = (int) Math.min(cluster.lengthBytes(), file.length - cluster.hostOffset());
    ByteBuffer source = ByteBuffer.allocateDirect(cluster.lengthBytes());
    source.put(file, (int) cluster.hostOffset(), available).clear();
    ByteBuffer target = ByteBuffer.allocateDirect(header.clusterSize());
    codec.decompress(source, target);
    return target.flip();
  }

  private static byte[] decompress(int type, byte[] stream) throws IOException {
    ByteBuffer target = ByteBuffer.allocateDirect(CLUSTER);
    try (ClusterCodec codec = new ClusterCodec(type, CLUSTER)) {
      codec.decompress(direct(stream), target);
    }
    byte[] cluster = new byte[CLUSTER];
    target.flip().get(cluster);
    return cluster;
  }

  private static ByteBuffer direct(byte[] bytes) {
    return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
  }

  private static byte[] deflate(byte[] content) {
    Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
    deflater.setInput(content);
    deflater.finish();
    byte[] stream = new byte[content.length + 1024];
    int length = deflater.deflate(stream);
    deflater.end();
    return Arrays.copyOf(stream, length);
  }

  /** Random bytes and runs of one byte, so that it compresses, but not to nothing. */
  private static byte[] halfRandom(int length, long seed) {
    Random random = new Random(seed);
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    for (int start = 0; start < length; start += 256) {
      Arrays.fill(bytes, start, Math.min(length, start + 160), bytes[start]);
    }
    return bytes;
  }
}
