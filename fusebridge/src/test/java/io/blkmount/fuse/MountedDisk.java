// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.ServingOptions.Passthrough;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/** A raw image mounted on a directory for one test; gone when it is closed, whatever happened. */
final class MountedDisk implements AutoCloseable {
  static final long PATIENCE_MILLIS = 20_000;

  private final BlockBackend disk;
  private final FuseMount mount;
  private final Path file;

  private MountedDisk(BlockBackend disk, FuseMount mount, Path file) {
    this.disk = disk;
    this.mount = mount;
    this.file = file;
  }

  /** Mounts on a directory over whichever transport is the best here. */
  static MountedDisk on(Path directory, BlockBackend disk) throws IOException {
    return on(directory, disk, options(disk, ServingOptions.AUTO));
  }

  /** Mounts on a directory, which is made if it is not there. */
  static MountedDisk on(Path directory, BlockBackend disk, MountOptions options)
      throws IOException {
    Files.createDirectories(directory);
    ExportTree tree = ExportTree.directory(List.of(disk));
    FuseMount mount = FuseMount.start(tree, directory.toString(), options);
    return new MountedDisk(disk, mount, directory.resolve(tree.files().get(0).name()));
  }

  /** Mounts on a regular file. */
  static MountedDisk onFile(Path file, BlockBackend disk, MountOptions options) throws IOException {
    ExportTree tree = ExportTree.file(disk);
    return new MountedDisk(disk, FuseMount.start(tree, file.toString(), options), file);
  }

  /** Returns how to mount a disk so that all its requests come by a transport. */
  static MountOptions options(BlockBackend disk, String transport) {
    return MountOptions.of(disk.imageName(), 0, 0)
        .withReadOnly(!disk.writable())
        .withServing(serving(transport));
  }

  static ServingOptions serving(String transport) {
    return ServingOptions.DEFAULT.withTransport(transport).withPassthrough(Passthrough.OFF);
  }

  FuseMount mount() {
    return mount;
  }

  /** Returns the file that shows the disk. */
  Path file() {
    return file;
  }

  FileChannel open(OpenOption... options) throws IOException {
    return FileChannel.open(file, Set.of(options));
  }

  boolean awaitEnd() throws InterruptedException {
    return mount.awaitEnd(PATIENCE_MILLIS);
  }

  @Override
  public void close() throws IOException {
    try (disk) {
      end();
    }
  }

  private void end() throws IOException {
    try {
      mount.unmount();
    } catch (BlockException e) {
      mount.cutOff();
    }
    try {
      if (!awaitEnd()) {
        throw new BlockException(BlockError.TIMED_OUT, "the mount does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BlockException(BlockError.INTERRUPTED, "interrupted", e);
    }
  }
}
