// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.fuse.ExportTree;
import io.blkmount.fuse.FuseMount;
import io.blkmount.fuse.MountOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Does once what each mount does, on a small chain in a temporary folder, so that the JVM can store
 * the loaded classes in an archive. The launcher runs it; what fails here is of no matter.
 */
public final class WarmUp {
  private static final long LENGTH = 1 << 20;
  private static final long PATIENCE_MILLIS = 5_000;

  private WarmUp() {}

  /**
   * Runs it.
   *
   * @param words not used
   * @throws IOException if the host cannot make a temporary folder
   * @throws InterruptedException never
   * @throws CommandFailure if the command line is not understood
   */
  public static void main(String[] words) throws Exception {
    Path folder = Files.createTempDirectory("blkmount-warm-up");
    try {
      String name = HostPath.nameOf(folder);
      MountRequest request =
          MountRequest.of(
              CommandLineParser.parse(List.of("-r", name + "/disk.qcow2", name)),
              WorkingDirectory.ofCaller());
      ServerLog.open(StreamLog.appendTo(name + "/log"), request.server().level());
      useImages(name);
    } finally {
      ServerLog.close();
      deleteAll(folder);
    }
  }

  private static void useImages(String folder) throws IOException, InterruptedException {
    String base = folder + "/base.img";
    String top = folder + "/disk.qcow2";
    BlockLayer.create(base, "raw", CreateOptions.ofLength(LENGTH));
    BackingReference reference = new BackingReference("base.img", "raw");
    BlockLayer.create(top, "qcow2", new CreateOptions(LENGTH, reference, Map.of()));
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(top))) {
      disk.write(0, ByteBuffer.allocateDirect(4096));
      disk.read(0, ByteBuffer.allocateDirect(4096));
      disk.flush();
      mount(disk, folder + "/mnt");
    }
  }

  private static void mount(BlockBackend disk, String mountPoint)
      throws IOException, InterruptedException {
    Files.createDirectory(HostPath.of(mountPoint));
    ProcessUser user = ProcessUser.current();
    FuseMount mount =
        FuseMount.start(
            ExportTree.directory(List.of(disk)),
            mountPoint,
            MountOptions.of("warm-up", user.uid(), user.gid()));
    try {
      mount.unmount();
    } finally {
      mount.awaitEnd(PATIENCE_MILLIS);
    }
  }

  private static void deleteAll(Path folder) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }
}
