// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.growth;

import io.blkmount.block.backend.BlockBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/** What a mount of a very large disk takes to come up, and how much memory it has then. */
final class OpenGrowth {
  private static final double LIMIT_MILLIS = 1000;
  private static final double LIMIT_MIB = 250;
  private static final double MIB = 1 << 20;

  /** The largest disk that fits into an L1 table of 32 MiB, the most that QEMU opens, or 64 TiB. */
  private record Shape(int clusterSize, long length) {}

  private static final List<Shape> SHAPES =
      List.of(
          new Shape(65536, 64L << 40), new Shape(2 << 20, 64L << 40), new Shape(4096, 8L << 40));

  private final Path folder;
  private final Path launcher;

  OpenGrowth(Path folder, Path launcher) {
    this.folder = folder;
    this.launcher = launcher;
  }

  List<Figure> measure() throws IOException {
    List<Figure> figures = new ArrayList<>();
    for (Shape shape : SHAPES) {
      String name = "%d TiB, clusters of %,d".formatted(shape.length() >> 40, shape.clusterSize());
      Path image = folder.resolve("large" + shape.clusterSize());
      Map<String, String> options = Map.of("cluster_size", shape.clusterSize() + "");
      Images.create(image, shape.length(), null, options);
      figures.add(new Figure(name + ": open", openMillis(image), LIMIT_MILLIS, "ms"));
      figures.addAll(mount(name, image, shape));
    }
    return figures;
  }

  /** Opens for writing, and writes one block, because the first write prepares something. */
  private static double openMillis(Path image) throws IOException {
    long start = System.nanoTime();
    try (BlockBackend disk = Images.open(image, false)) {
      disk.write(0, ByteBuffer.allocateDirect(Images.BLOCK));
      return (System.nanoTime() - start) / 1e6;
    }
  }

  private List<Figure> mount(String name, Path image, Shape shape) throws IOException {
    Path mountPoint = Files.createDirectory(folder.resolve("mnt" + shape.clusterSize()));
    Path pidFile = folder.resolve("pid");
    long start = System.nanoTime();
    run(launcher, "-f", "qcow2", "--pid-file", pidFile, image, mountPoint);
    try {
      double millis = (System.nanoTime() - start) / 1e6;
      String pid = Files.readString(pidFile).trim();
      long idle = residentBytes(pid);
      use(mountPoint, shape.length());
      return List.of(
          new Figure(name + ": command to mount", millis, LIMIT_MILLIS, "ms"),
          new Figure(name + ": memory of the mount", idle / MIB, LIMIT_MIB, "MiB"),
          new Figure(name + ": after use", residentBytes(pid) / MIB, LIMIT_MIB, "MiB"));
    } finally {
      run(launcher, "--unmount", mountPoint);
    }
  }

  /** Reads and writes all over the disk. */
  private static void use(Path mountPoint, long length) throws IOException {
    SplittableRandom random = new SplittableRandom(1);
    ByteBuffer block = ByteBuffer.allocateDirect(Images.BLOCK);
    try (Stream<Path> files = Files.list(mountPoint);
        FileChannel disk =
            FileChannel.open(
                files.findAny().orElseThrow(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      for (int i = 0; i < 500; i++) {
        long at = random.nextLong(length / Images.BLOCK) * Images.BLOCK;
        disk.write(block.clear(), at);
        disk.read(block.clear(), random.nextLong(length / Images.BLOCK) * Images.BLOCK);
      }
    }
  }

  private static long residentBytes(String pid) throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc", pid, "status"))) {
      String line = lines.filter(s -> s.startsWith("VmRSS:")).findAny().orElseThrow();
      return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
    }
  }

  private static void run(Object... words) throws IOException {
    List<String> command = Stream.of(words).map(Object::toString).toList();
    Process process = new ProcessBuilder(command).inheritIO().start();
    try {
      if (process.waitFor() != 0) {
        throw new IOException(command + ": exit code " + process.exitValue());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while " + command + " ran", e);
    }
  }
}
