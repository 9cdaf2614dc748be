// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.fuse.ExportTree;
import io.blkmount.fuse.HostCalls;
import io.blkmount.fuse.MountOptions;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What it costs to decode a request, find its file and reply: the replies go to {@code /dev/null}.
 * A read past the end asks nothing of the disk, so that it shows the bridge alone.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "-XX:+UseSerialGC")
@State(Scope.Benchmark)
public class RequestServerBenchmark {
  private static final int LENGTH = 1 << 20;
  private static final int COUNT = 4 << 10;
  private static final int READ_WRITE = 2;
  private static final long FILE_INODE = 2;

  private Path image;
  private BlockBackend disk;
  private RequestMemory memory;
  private DevFuse device;
  private RequestServer server;
  private long handle;

  /** Opens a raw disk in memory. */
  @Setup
  public void open() throws IOException {
    image = Files.createTempFile(Path.of("/dev/shm"), "request", ".img");
    BlockLayer.create(image.toString(), "raw", CreateOptions.ofLength(LENGTH));
    disk = BlockLayer.open(OpenOptions.of(image.toString()).withFormat("raw"));
    ExportTree tree = ExportTree.directory(List.of(disk));
    ServedTree served = ServedTree.of(tree, MountOptions.of("disk", 0, 0));
    memory = RequestMemory.allocate();
    device = DevFuse.of(HostCalls.open("/dev/null"));
    server =
        new RequestServer(
            served, new OpenFiles(new KernelFiles(device, memory, false)), memory, device);
    handle = served.handles().open(tree.files().get(0), READ_WRITE);
  }

  /** Closes and deletes it. */
  @TearDown
  public void close() throws IOException {
    device.close();
    memory.close();
    disk.close();
    Files.delete(image);
  }

  private void serve(int opcode, long offset) {
    ByteBuffer bytes = memory.bytes();
    int header = RequestMemory.REQUEST;
    bytes.putInt(header + 4, opcode).putLong(header + 8, 1).putLong(header + 16, FILE_INODE);
    int arguments = header + 40;
    bytes.putLong(arguments, handle).putLong(arguments + 8, offset).putInt(arguments + 16, COUNT);
    bytes.putInt(arguments + 32, 0);
    server.serve();
  }

  /** Decodes a read, finds its file and its end, and replies. */
  @Benchmark
  public void readPastTheEnd() {
    serve(Opcode.READ, LENGTH);
  }

  /** Reads 4 KiB from memory. */
  @Benchmark
  public void read() {
    serve(Opcode.READ, COUNT);
  }

  /** Writes 4 KiB to memory. */
  @Benchmark
  public void write() {
    serve(Opcode.WRITE, COUNT);
  }
}
