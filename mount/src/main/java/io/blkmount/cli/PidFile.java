// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.io.Closeable;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * A file with the server's process id, there as long as the server is. It is locked meanwhile, as
 * QEMU locks its own: a second server must not write over the number of the first, nor take the
 * file away when it fails to start.
 */
final class PidFile implements Closeable {
  private final Path file;
  private final FileChannel channel;
  private final boolean isRegular;

  private PidFile(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
    this.isRegular = Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS);
  }

  /**
   * Writes the file.
   *
   * @param name absolute
   */
  static PidFile write(String name) throws CommandFailure {
    Path file = HostPath.of(name);
    try {
      FileChannel channel =
          FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      PidFile opened = new PidFile(file, channel);
      if (!opened.isOurs()) {
        channel.close();
        throw CommandFailure.failed("pid file \"" + name + "\": in use by a server that runs");
      }
      opened.write();
      return opened;
    } catch (IOException e) {
      throw CommandFailure.failed("pid file \"" + name + "\": " + MountPoint.reason(e), e);
    }
  }

  private boolean isOurs() {
    try {
      @Nullable FileLock lock = isRegular ? channel.tryLock() : null;
      return lock != null || !isRegular;
    } catch (OverlappingFileLockException heldByThisProcess) {
      return false;
    } catch (IOException noLocksThere) {
      return true;
    }
  }

  private void write() throws IOException {
    String line = ProcessHandle.current().pid() + "\n";
    try {
      if (channel.size() > 0) {
        channel.truncate(0);
      }
      channel.write(ByteBuffer.wrap(line.getBytes(StandardCharsets.US_ASCII)));
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  /** Removes the file, unless it is something like /dev/null, and only then lets go of it. */
  @Override
  public void close() {
    try (channel) {
      if (isRegular) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      System.getLogger(PidFile.class.getName())
          .log(Level.WARNING, "pid file \"" + file + "\" stays behind", e);
    }
  }
}
