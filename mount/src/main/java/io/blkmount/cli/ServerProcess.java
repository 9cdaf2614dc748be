// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The process that serves a mount, found from outside.
 *
 * <p>Nothing in the kernel's tables leads from a FUSE mount to its server, and a file that names it
 * would outlive a killed one. So each server has a thread whose name carries the device number of
 * its mount: everybody can read it, and it is gone with the process.
 *
 * @param pid process id
 * @param startTime in clock ticks since boot; a later process with the same id has another one
 */
record ServerProcess(long pid, String startTime) {
  private static final String NAME = "blkmount";
  private static final int FIELDS_BEFORE_THREAD_COUNT = 17;
  private static final int FIELDS_BEFORE_START_TIME = 19;

  /** Makes this process show as {@code blkmount} where others look, such as ps(1); not as java. */
  static void nameThisOne() {
    try {
      Files.writeString(Path.of("/proc/self/comm"), NAME);
    } catch (IOException e) {
      System.getLogger(ServerProcess.class.getName())
          .log(Level.WARNING, "cannot name the process: --unmount will not find it", e);
    }
  }

  /**
   * Returns the name of the thread; at most 15 bytes, the kernel keeps no more.
   *
   * @param device of the mount as {@code 0:MINOR}; a FUSE mount's major number is always 0
   */
  static String threadName(String device) {
    int minor = Integer.parseInt(device.substring(device.indexOf(':') + 1));
    return "blkmount@" + Integer.toHexString(minor);
  }

  /** Returns the server of the mount with that device number, or null if it is not to be seen. */
  static @Nullable ServerProcess of(String device) {
    String wanted = threadName(device);
    try (DirectoryStream<Path> processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
      for (Path process : processes) {
        if (textOf(process.resolve("comm")).equals(NAME) && hasThread(process, wanted)) {
          String[] stat = statFields(process);
          return stat.length == 0 ? null : new ServerProcess(pidOf(process), startTimeIn(stat));
        }
      }
      return null;
    } catch (IOException | DirectoryIteratorException noProc) {
      return null;
    }
  }

  /** Returns whether it has ended; one that only its parent has not asked about has ended. */
  boolean isGone() {
    String[] stat = statFields(Path.of("/proc", Long.toString(pid)));
    return stat.length == 0 || !startTimeIn(stat).equals(startTime) || hasEnded(stat);
  }

  /** While a thread is left, files and locks are still held, though the process shows as ended. */
  private static boolean hasEnded(String[] stat) {
    return stat[0].equals("X")
        || (stat[0].equals("Z") && Integer.parseInt(stat[FIELDS_BEFORE_THREAD_COUNT]) <= 1);
  }

  private static boolean hasThread(Path process, String name) {
    try (DirectoryStream<Path> threads = Files.newDirectoryStream(process.resolve("task"))) {
      for (Path thread : threads) {
        if (textOf(thread.resolve("comm")).equals(name)) {
          return true;
        }
      }
    } catch (IOException | DirectoryIteratorException ended) {
      // A process that ends meanwhile is not the one.
    }
    return false;
  }

  /** Returns the fields of /proc/PID/stat from the third on; the second is free text. */
  private static String[] statFields(Path process) {
    String stat = textOf(process.resolve("stat"));
    int end = stat.lastIndexOf(')');
    return end < 0 ? new String[0] : stat.substring(end + 2).split(" ");
  }

  private static String startTimeIn(String[] stat) {
    return stat[FIELDS_BEFORE_START_TIME];
  }

  private static long pidOf(Path process) {
    return Long.parseLong(process.getFileName().toString());
  }

  private static String textOf(Path file) {
    try {
      return new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).strip();
    } catch (IOException | DirectoryIteratorException ended) {
      return "";
    }
  }
}
