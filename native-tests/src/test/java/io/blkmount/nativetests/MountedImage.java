// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A mount by the real command, with a time-out on each step. {@link #close} always gets rid of it.
 */
final class MountedImage implements AutoCloseable {
  static final Duration MOUNT_TIMEOUT = Duration.ofSeconds(30);

  /** More than the 10 s that a busy mount may be served on, and a slow last flush. */
  static final Duration END_TIMEOUT = Duration.ofSeconds(30);

  /** Counted from the state, the first after the name. */
  private static final int THREAD_COUNT_FIELD = 17;

  private final Path mountPoint;
  private final Path pidFile;
  private final Path logFile;
  private final @Nullable Process foreground;
  private final ProcessHandle server;
  private final List<String> remarks;

  private MountedImage(
      Path mountPoint,
      Path pidFile,
      Path logFile,
      @Nullable Process foreground,
      List<String> remarks) {
    this.mountPoint = mountPoint;
    this.pidFile = pidFile;
    this.logFile = logFile;
    this.foreground = foreground;
    this.remarks = remarks;
    this.server =
        ProcessHandle.of(readPid())
            .orElseThrow(() -> new AssertionError("no such server: " + readPid() + "; " + log()));
  }

  /**
   * Mounts in the background, as a user does.
   *
   * @param files a path that the log and the pid file are named after
   */
  static MountedImage start(Path files, Path mountPoint, List<?> arguments) {
    Path pidFile = Path.of(files + ".pid");
    Path logFile = Path.of(files + ".log");
    List<Object> command = command(pidFile, logFile, mountPoint, arguments);
    Shell.Result result = Shell.run(MOUNT_TIMEOUT, command.toArray());
    String unused = result.requireSuccess();
    assertThat(MountTable.contains(mountPoint)).as("mounted at return").isTrue();
    return new MountedImage(mountPoint, pidFile, logFile, null, result.errorLines());
  }

  /** Mounts with {@code --foreground}, so that the exit code of the server can be seen. */
  static MountedImage startInForeground(Path files, Path mountPoint, List<?> arguments) {
    Path pidFile = Path.of(files + ".pid");
    Path logFile = Path.of(files + ".log");
    List<Object> command = command(pidFile, logFile, mountPoint, arguments);
    command.add(1, "--foreground");
    Process process = spawn(command.stream().map(Object::toString).toList(), logFile);
    boolean answers =
        Await.holdsWithin(
            MOUNT_TIMEOUT,
            () -> !process.isAlive() || (MountTable.contains(mountPoint) && isPid(pidFile)));
    if (!answers || !process.isAlive()) {
      process.destroyForcibly();
      throw new AssertionError("did not mount: " + command + read(logFile));
    }
    return new MountedImage(mountPoint, pidFile, logFile, process, List.of());
  }

  private static List<Object> command(
      Path pidFile, Path logFile, Path mountPoint, List<?> arguments) {
    List<Object> command = new ArrayList<>(List.of(Project.launcher()));
    command.addAll(List.of("--pid-file", pidFile, "--log-file", logFile));
    command.addAll(arguments);
    command.add(mountPoint);
    return command;
  }

  private static Process spawn(List<String> command, Path logFile) {
    try {
      ProcessBuilder.Redirect log = ProcessBuilder.Redirect.appendTo(logFile.toFile());
      return new ProcessBuilder(command).redirectOutput(log).redirectError(log).start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean isPid(Path pidFile) {
    return Files.exists(pidFile) && !read(pidFile).isBlank();
  }

  private long readPid() {
    return Long.parseLong(read(pidFile).strip());
  }

  Path mountPoint() {
    return mountPoint;
  }

  long pid() {
    return server.pid();
  }

  /** Returns whether the server runs; one that only waits for its parent's notice has ended. */
  boolean isServed() {
    try {
      String stat = Files.readString(Path.of("/proc/" + pid() + "/stat"));
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
      // A killed leader shows as a zombie while other threads still hold files and locks.
      return !fields[0].equals("Z") || Integer.parseInt(fields[THREAD_COUNT_FIELD]) > 1;
    } catch (IOException gone) {
      return false;
    }
  }

  /** Returns what the command said on standard error although it mounted, line by line. */
  List<String> remarks() {
    return remarks;
  }

  /**
   * Returns how many bytes the server has moved so far, in both directions together: each byte that
   * passes through it counts at least once.
   */
  long bytesMoved() {
    return read(Path.of("/proc/" + pid() + "/io"))
        .lines()
        .filter(line -> line.startsWith("rchar: ") || line.startsWith("wchar: "))
        .mapToLong(line -> Long.parseLong(line.substring(7)))
        .sum();
  }

  /** Returns the file that is the disk: the mount point itself or the only file in it. */
  Path disk() {
    if (!Files.isDirectory(mountPoint)) {
      return mountPoint;
    }
    try (Stream<Path> files = Files.list(mountPoint)) {
      List<Path> all = files.toList();
      assertThat(all).as("files in the mount").hasSize(1);
      return all.get(0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns what the server logged so far. */
  String log() {
    return Files.exists(logFile) ? read(logFile) : "";
  }

  /**
   * Unmounts as anybody may, and waits until the server is gone. Whoever looks at all mounts, as df
   * of another test does, keeps this one busy for a moment.
   */
  void unmount() {
    Await.until("umount " + mountPoint, END_TIMEOUT, this::isUnmounted);
    awaitEnd();
  }

  private boolean isUnmounted() {
    Shell.Result result = Shell.run(END_TIMEOUT, "umount", mountPoint);
    return !result.errors().contains("target is busy") && result.requireSuccess().isEmpty();
  }

  /** Unmounts with our own command, which must return only when the server is gone. */
  void unmountByCommand() {
    Shell.run(END_TIMEOUT, Project.launcher(), "--unmount", mountPoint).requireSuccess();
    assertThat(MountTable.contains(mountPoint)).as("mounted after --unmount").isFalse();
    assertThat(isServed()).as("server alive after --unmount returned").isFalse();
  }

  void signal(String name) {
    Shell.run("kill", "-" + name, pid()).requireSuccess();
  }

  /** Kills the server as a crash would, and waits until it is gone. The dead mount stays. */
  void kill() {
    server.destroyForcibly();
    awaitEnd();
  }

  /** Waits until the server's process is gone. */
  void awaitEnd() {
    try {
      Process child = foreground;
      if (child != null && !child.waitFor(END_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
        throw new AssertionError("the server goes on: " + log());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
    Await.until("end of the server; " + log(), END_TIMEOUT, () -> !isServed());
  }

  /** Waits for the end of a server in the foreground; returns its exit code. */
  int awaitExit() {
    awaitEnd();
    Process child = foreground;
    if (child == null) {
      throw new IllegalStateException("not in the foreground");
    }
    return child.exitValue();
  }

  /** Unmounts if it is still mounted; what does not end by then is ended, and fails the test. */
  @Override
  public void close() {
    if (MountTable.contains(mountPoint) && Shell.run("umount", mountPoint).exitCode() != 0) {
      Shell.run("umount", "-l", mountPoint);
    }
    if (!Await.holdsWithin(END_TIMEOUT, () -> !isServed())) {
      server.destroyForcibly();
      throw new AssertionError("the server had to be killed: " + log());
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
