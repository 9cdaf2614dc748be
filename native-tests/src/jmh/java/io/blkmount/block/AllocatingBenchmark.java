// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Writes of which each gets a cluster of its own, in an image that is empty at first. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC", "-Xmx256m"})
@State(Scope.Benchmark)
public class AllocatingBenchmark {
  private static final long CLUSTER = 64 << 10;

  /** More clusters than can be written in a second. */
  private static final long DISK_LENGTH = 1L << 40;

  private final ByteBuffer buffer = ByteBuffer.allocateDirect(4 << 10).put(0, (byte) 1);
  private Path folder;
  private BlockBackend disk;
  private long offset;

  /** Makes an empty image. */
  @Setup(Level.Iteration)
  public void open() throws IOException {
    folder = Files.createTempDirectory(Path.of("/dev/shm"), "blkmount-jmh");
    String image = folder.resolve("disk").toString();
    BlockLayer.create(image, "qcow2", CreateOptions.ofLength(DISK_LENGTH));
    disk = BlockLayer.open(OpenOptions.of(image).withFormat("qcow2"));
    offset = 0;
  }

  /** Deletes the image. */
  @TearDown(Level.Iteration)
  public void close() throws IOException {
    disk.close();
    Files.delete(folder.resolve("disk"));
    Files.delete(folder);
  }

  /** Writes 4 KiB into the next cluster. */
  @Benchmark
  public void write4k() throws IOException {
    disk.write(offset, buffer.clear());
    offset += CLUSTER;
  }
}
