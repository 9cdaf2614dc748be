// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.MountTable;
import io.blkmount.fuse.Unmounting;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code blkmount --unmount}: returns when the server has flushed, closed and ended. */
final class UnmountCommand {
  private static final long POLL_MILLIS = 10;

  /** After that long somebody at a terminal wants to know why nothing happens. */
  private static final long PATIENCE_MILLIS = 5_000;

  private final Terminal terminal;
  private final String mountPoint;
  private final MountTable.Mount mount;

  private UnmountCommand(Terminal terminal, MountTable.Mount mount) {
    this.terminal = terminal;
    this.mountPoint = mount.mountPoint();
    this.mount = mount;
  }

  /**
   * Unmounts.
   *
   * @param given absolute name of the mount point
   * @param lazy take the mount away now and let the server end with its last user
   * @throws CommandFailure if nothing of ours is mounted there, if it is busy, or if what was
   *     written cannot be made durable; it is still mounted then
   */
  static void run(Terminal terminal, String given, boolean lazy) throws CommandFailure {
    UnmountCommand command = new UnmountCommand(terminal, find(given));
    if (lazy) {
      MountPoint.detach(command.mountPoint);
    } else {
      command.unmountAndWait();
    }
  }

  private static MountTable.Mount find(String given) throws CommandFailure {
    String name = MountPoint.realName(given);
    MountTable.@Nullable Mount mount = table().at(name);
    if (mount == null) {
      String problem =
          Files.exists(HostPath.of(name))
              ? "nothing is mounted there"
              : "no such file or directory";
      throw MountPoint.problem(name, problem);
    }
    if (!mount.isOurs()) {
      throw MountPoint.problem(
          name, "not a mount of blkmount but " + mount.source() + " (" + mount.type() + ")");
    }
    return mount;
  }

  private void unmountAndWait() throws CommandFailure {
    ServerProcess server = ServerProcess.of(mount.device());
    if (server != null) {
      flush();
    }
    try {
      Unmounting.unmount(mountPoint);
    } catch (IOException e) {
      throw refused(e);
    }
    if (server != null) {
      awaitEnd(server);
    }
  }

  /**
   * Flushes every file of the mount first: whoever unmounts learns that data is lost while it can
   * still be helped, and not from the log of a process that is gone.
   */
  private void flush() throws CommandFailure {
    Path root = HostPath.of(mountPoint);
    if (!Files.isDirectory(root)) {
      flushFile(root);
      return;
    }
    try (DirectoryStream<Path> files = Files.newDirectoryStream(root)) {
      for (Path file : files) {
        flushFile(file);
      }
    } catch (DirectoryIteratorException e) {
      throw CommandFailure.failed(
          "\""
              + root
              + "\": cannot be listed, so it stays mounted: "
              + MountPoint.reason(e.getCause()),
          e);
    } catch (IOException notOurs) {
      // Another user's mount: umount(8) decides, and the server flushes at its end.
    }
  }

  private static void flushFile(Path file) throws CommandFailure {
    FileChannel channel;
    try {
      channel = FileChannel.open(file, StandardOpenOption.READ);
    } catch (IOException notOurs) {
      return;
    }
    try (channel) {
      channel.force(true);
    } catch (IOException e) {
      throw CommandFailure.failed(
          "\"" + file + "\": cannot be flushed, so it stays mounted: " + MountPoint.reason(e), e);
    }
  }

  private CommandFailure refused(IOException reason) throws CommandFailure {
    if (BlockException.errorOf(reason) != BlockError.BUSY) {
      return CommandFailure.failed(MountPoint.reason(reason), reason);
    }
    List<String> holders = MountHolders.of(mount, table());
    return MountPoint.problem(
        mountPoint,
        holders.isEmpty()
            ? "busy: in use by somebody whom this user cannot see"
            : "busy: in use by " + String.join("; ", holders));
  }

  private void awaitEnd(ServerProcess server) throws CommandFailure {
    long patienceEnds = System.nanoTime() + PATIENCE_MILLIS * 1_000_000;
    boolean told = false;
    while (!server.isGone()) {
      if (!told && System.nanoTime() - patienceEnds > 0) {
        terminal.complain("unmounted; waiting for process " + server.pid() + " to write back");
        told = true;
      }
      pause();
    }
  }

  private static void pause() throws CommandFailure {
    try {
      Thread.sleep(POLL_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw CommandFailure.failed("interrupted while waiting for the server", e);
    }
  }

  private static MountTable table() throws CommandFailure {
    try {
      return MountTable.read();
    } catch (IOException e) {
      throw CommandFailure.failed("/proc/self/mountinfo: " + MountPoint.reason(e), e);
    }
  }
}
