// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes a mount out of the host's tree: root asks the kernel, others ask the setuid program that
 * mounted for them.
 */
public final class Unmounting {
  private static final int MNT_FORCE = 1;
  private static final int MNT_DETACH = 2;
  private static final int UMOUNT_NOFOLLOW = 8;

  /** Rebuilds the name from octal digits: the JVM would lose bytes that its charset cannot say. */
  private static final String SCRIPT =
      "tool=$1 name=$(printf '%b_' \"$2\"); shift 2; exec \"$tool\" -u \"$@\" -- \"${name%_}\"";

  private static final List<String> TOOLS = List.of("fusermount3", "fusermount");

  private Unmounting() {}

  /**
   * Unmounts what nobody uses.
   *
   * @param mountPoint without links
   * @throws IOException with {@code BUSY} if somebody uses it
   */
  public static void unmount(String mountPoint) throws IOException {
    perform(mountPoint, 0, List.of());
  }

  /**
   * Hides the mount; it ends when the last handle is closed.
   *
   * @param mountPoint without links
   * @throws IOException if this user may not
   */
  public static void detach(String mountPoint) throws IOException {
    perform(mountPoint, MNT_DETACH, List.of("-z"));
  }

  /** Hides the mount and ends it at once; handles that are open fail. Only root may. */
  static void force(String mountPoint) throws IOException {
    HostCalls.unmount(mountPoint, MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW);
  }

  private static void perform(String mountPoint, int flags, List<String> toolOptions)
      throws IOException {
    try {
      HostCalls.unmount(mountPoint, flags | UMOUNT_NOFOLLOW);
    } catch (BlockException e) {
      if (e.error() != BlockError.NOT_PERMITTED || HostCalls.isRoot()) {
        throw new BlockException(e.error(), "cannot unmount " + e.getMessage(), e);
      }
      askTool(mountPoint, toolOptions);
    }
  }

  private static void askTool(String mountPoint, List<String> options) throws IOException {
    IOException failure = new IOException("no " + TOOLS.get(0));
    for (String tool : TOOLS) {
      List<String> command = new ArrayList<>(List.of("sh", "-c", SCRIPT, "sh", tool));
      command.add(octal(mountPoint));
      command.addAll(options);
      String complaint = run(command);
      if (complaint.isEmpty()) {
        return;
      }
      failure = toolFailure(mountPoint, complaint);
      if (!complaint.contains("not found")) {
        break;
      }
    }
    throw failure;
  }

  /** Returns what the command said when it failed, on one line; empty if it did not fail. */
  private static String run(List<String> command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    byte[] output = process.getInputStream().readAllBytes();
    try {
      int exitCode = process.waitFor();
      String text = new String(output, StandardCharsets.ISO_8859_1).strip();
      String firstLine = text.lines().findFirst().orElse("exit code " + exitCode);
      return exitCode == 0 ? "" : firstLine;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BlockException(BlockError.INTERRUPTED, "interrupted while unmounting", e);
    }
  }

  private static BlockException toolFailure(String mountPoint, String complaint) {
    BlockError error = complaint.contains("busy") ? BlockError.BUSY : BlockError.NOT_PERMITTED;
    return new BlockException(
        error, "cannot unmount " + MountPoint.quoted(mountPoint) + ": " + complaint);
  }

  private static String octal(String name) {
    StringBuilder text = new StringBuilder();
    for (byte b : HostName.encode(name)) {
      text.append(String.format("\\0%03o", b & 0xff));
    }
    return text.toString();
  }
}
