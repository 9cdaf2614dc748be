// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds who locks an image. The kernel knows no process for a lock of an open file description, but
 * lists in {@code /proc/PID/fdinfo/FD} the locks that are held through each descriptor:
 *
 * <pre>
 * lock:   1: OFDLCK ADVISORY  READ -1 fe:00:1234 100 101
 *                                     device:inode first byte, last byte (or EOF)
 * </pre>
 */
final class LockHolder {
  private static final Path PROC = Path.of("/proc");
  private static final int FILE_FIELD = 6;
  private static final int FIRST_BYTE_FIELD = 7;
  private static final int LAST_BYTE_FIELD = 8;

  private final String ownInfo;
  private final String lockedFile;
  private final long lockedByte;

  private LockHolder(String ownInfo, String lockedFile, long lockedByte) {
    this.ownInfo = ownInfo;
    this.lockedFile = lockedFile;
    this.lockedByte = lockedByte;
  }

  /**
   * Returns a process that locks a byte of the same image, for a message.
   *
   * @param ownInfo the fdinfo file of a descriptor of ours that holds a lock on the image
   * @param lockedByte which byte
   * @return such as {@code process 1234 (qemu-system-x86)}, or null if /proc does not tell
   */
  static @Nullable String describe(String ownInfo, long lockedByte) {
    try {
      // Our own line says how this file system's device is written there; st_dev may differ.
      List<String[]> own = locksIn(Path.of(ownInfo));
      return own.isEmpty()
          ? null
          : new LockHolder(ownInfo, own.get(0)[FILE_FIELD], lockedByte).search();
    } catch (IOException | DirectoryIteratorException e) {
      return null; // no /proc: the message goes without a name
    }
  }

  private @Nullable String search() throws IOException {
    try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
      for (Path process : processes) {
        if (isHeldBy(process)) {
          return nameOf(process);
        }
      }
    }
    return null;
  }

  private boolean isHeldBy(Path process) {
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(process.resolve("fdinfo"))) {
      for (Path descriptor : descriptors) {
        if (!isOurs(process, descriptor) && holds(descriptor)) {
          return true;
        }
      }
      return false;
    } catch (IOException | DirectoryIteratorException e) {
      return false; // gone meanwhile, or another user's
    }
  }

  private boolean isOurs(Path process, Path descriptor) {
    return isThisProcess(process)
        && Path.of(ownInfo).getFileName().equals(descriptor.getFileName());
  }

  private boolean holds(Path descriptor) {
    try {
      for (String[] lock : locksIn(descriptor)) {
        if (lock[FILE_FIELD].equals(lockedFile) && holdsByte(lock)) {
          return true;
        }
      }
      return false;
    } catch (IOException e) {
      return false; // closed meanwhile
    }
  }

  private boolean holdsByte(String[] lock) {
    String last = lock[LAST_BYTE_FIELD];
    return Long.parseLong(lock[FIRST_BYTE_FIELD]) <= lockedByte
        && (last.equals("EOF") || Long.parseLong(last) >= lockedByte);
  }

  private static List<String[]> locksIn(Path fdinfo) throws IOException {
    return Files.readAllLines(fdinfo).stream()
        .filter(line -> line.startsWith("lock:"))
        .map(line -> line.split("\\s+"))
        .filter(fields -> fields.length > LAST_BYTE_FIELD)
        .toList();
  }

  private static String nameOf(Path process) {
    if (isThisProcess(process)) {
      return "this process";
    }
    try {
      String command = Files.readString(process.resolve("comm")).strip();
      return "process " + process.getFileName() + " (" + command + ")";
    } catch (IOException e) {
      return "process " + process.getFileName();
    }
  }

  private static boolean isThisProcess(Path process) {
    return process.getFileName().toString().equals(Long.toString(ProcessHandle.current().pid()));
  }
}
