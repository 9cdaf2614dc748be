// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/** Random requests on a whole disk in memory, every cluster of which is allocated. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC", "-Xmx256m"})
@State(Scope.Benchmark)
public class DiskBenchmark {
  private static final int DISK_LENGTH = 256 << 20;
  private static final int SHORT = 4 << 10;
  private static final int LONG = 1 << 20;

  /** Format of the image. */
  @Param({"qcow2", "raw"})
  String format;

  private Path folder;
  private BlockBackend disk;

  /** A thread's own buffers and its own row of offsets. */
  @State(Scope.Thread)
  public static class Requests {
    private final ByteBuffer shortBuffer = ByteBuffer.allocateDirect(SHORT);
    private final ByteBuffer longBuffer = ByteBuffer.allocateDirect(LONG);
    private final SplittableRandom random = new SplittableRandom();

    private long offset(int length) {
      return (long) random.nextInt(DISK_LENGTH / length) * length;
    }
  }

  /** Makes an image and fills it. */
  @Setup
  public void open() throws IOException {
    folder = Files.createTempDirectory(Path.of("/dev/shm"), "blkmount-jmh");
    String image = folder.resolve("disk").toString();
    BlockLayer.create(image, format, CreateOptions.ofLength(DISK_LENGTH));
    disk = BlockLayer.open(OpenOptions.of(image).withFormat(format));
    for (long offset = 0; offset < DISK_LENGTH; offset += LONG) {
      ByteBuffer content = ByteBuffer.allocateDirect(LONG);
      content.put(0, (byte) 1);
      disk.write(offset, content);
    }
    disk.flush();
  }

  /** Deletes the image. */
  @TearDown
  public void close() throws IOException {
    disk.close();
    Files.delete(folder.resolve("disk"));
    Files.delete(folder);
  }

  /** Reads 4 KiB. */
  @Benchmark
  public void read4k(Requests requests) throws IOException {
    disk.read(requests.offset(SHORT), requests.shortBuffer.clear());
  }

  /** Writes 4 KiB over what is there. */
  @Benchmark
  public void write4k(Requests requests) throws IOException {
    disk.write(requests.offset(SHORT), requests.shortBuffer.clear());
  }

  /** Reads 4 KiB on each of two threads. */
  @Benchmark
  @Threads(2)
  public void read4kTwoThreads(Requests requests) throws IOException {
    disk.read(requests.offset(SHORT), requests.shortBuffer.clear());
  }

  /** Writes 4 KiB on each of two threads. */
  @Benchmark
  @Threads(2)
  public void write4kTwoThreads(Requests requests) throws IOException {
    disk.write(requests.offset(SHORT), requests.shortBuffer.clear());
  }

  /** Reads 1 MiB. */
  @Benchmark
  public void read1m(Requests requests) throws IOException {
    disk.read(requests.offset(LONG), requests.longBuffer.clear());
  }

  /** Writes 1 MiB over what is there. */
  @Benchmark
  public void write1m(Requests requests) throws IOException {
    disk.write(requests.offset(LONG), requests.longBuffer.clear());
  }
}
