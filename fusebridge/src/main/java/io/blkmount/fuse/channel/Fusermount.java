// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.MountOptions;
import io.blkmount.fuse.MountTable;
import io.blkmount.fuse.Unmounting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Mounts as an ordinary user: a program with the rights of root opens the device, mounts, and hands
 * over the descriptor.
 */
final class Fusermount {
  /** As the packages fuse3 and fuse call it. */
  private static final List<String> PROGRAMS = List.of("fusermount3", "fusermount");

  private Fusermount() {}

  /**
   * Mounts. Whoever looks at the mount waits until somebody serves the descriptor.
   *
   * @param mountPoint without links; free; a directory or a file as what is served
   * @param options how
   * @return an open descriptor of /dev/fuse; the mount is dead when the last copy is closed
   * @throws IOException with the reason on one line; nothing is mounted then
   */
  static int mount(String mountPoint, MountOptions options) throws IOException {
    return mount(PROGRAMS, mountPoint, options);
  }

  /** Mounts with the first of these programs that there is. */
  static int mount(List<String> programs, String mountPoint, MountOptions options)
      throws IOException {
    try (MountProgram program = start(programs, mountPoint, options)) {
      int device = program.awaitDescriptor();
      if (device < 0) {
        throw failure(program, mountPoint);
      }
      return device;
    }
  }

  private static MountProgram start(List<String> programs, String mountPoint, MountOptions options)
      throws BlockException {
    @Nullable BlockException first = null;
    for (String program : programs) {
      try {
        return MountProgram.start(command(program, mountPoint, options));
      } catch (BlockException e) {
        // "Permission denied" as well: a folder in PATH that is closed to this user is enough.
        first = first == null ? e : first;
      }
    }
    throw notRun(mountPoint, Objects.requireNonNull(first, "no program given"));
  }

  private static BlockException notRun(String mountPoint, BlockException reason) {
    return KernelMount.refused(
        reason.error(),
        mountPoint,
        "cannot run " + reason.getMessage() + " (on Debian: apt-get install fuse3)");
  }

  private static IOException failure(MountProgram program, String mountPoint) {
    int exitCode = program.awaitEnd();
    String line = program.firstLine();
    String why = line.isEmpty() ? "no descriptor came from fusermount3" + ending(exitCode) : line;
    IOException failure = KernelMount.refused(BlockError.NOT_PERMITTED, mountPoint, why + hint());
    if (exitCode <= 0) {
      detach(mountPoint, failure);
    }
    return failure;
  }

  /** The program opens the device with the rights of its user, whatever rights it has itself. */
  private static String hint() {
    return Files.isWritable(Path.of("/dev/fuse")) ? "" : " (as root: chmod a+rw /dev/fuse)";
  }

  private static String ending(int exitCode) {
    return exitCode < 0 ? "" : " (exit code " + exitCode + ")";
  }

  /** A program that says why it failed has mounted nothing; any other may have. */
  private static void detach(String mountPoint, IOException reason) {
    try {
      MountTable.Mount left = MountTable.read().at(mountPoint);
      if (left != null && left.isOurs()) {
        Unmounting.detach(mountPoint);
      }
    } catch (IOException e) {
      reason.addSuppressed(e);
    }
  }

  private static List<String> command(String program, String mountPoint, MountOptions options) {
    return List.of(program, "-o", String.join(",", words(options)), "--", mountPoint);
  }

  static List<String> words(MountOptions options) {
    List<String> words = new ArrayList<>();
    words.add("fsname=" + escaped(options.fsName()));
    words.add("subtype=blkmount");
    words.add("nosuid,nodev,default_permissions,max_read=" + KernelMount.MAX_READ);
    if (options.readOnly()) {
      words.add("ro");
    }
    if (options.allowOther()) {
      words.add("allow_other");
    }
    words.addAll(options.extra());
    words.remove(KernelMount.NON_EMPTY); // fusermount3 covers what is there without being asked
    return words;
  }

  /** Hides commas and backslashes from the option parser. */
  private static String escaped(String value) {
    return value.replace("\\", "\\\\").replace(",", "\\,");
  }
}
