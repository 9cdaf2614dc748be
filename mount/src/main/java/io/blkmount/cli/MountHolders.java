// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.fuse.MountTable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Who keeps a mount busy, by what /proc and /sys tell this user; nothing here asks the mount
 * itself, which may not answer.
 */
final class MountHolders {
  private static final Path PROC = Path.of("/proc");
  private static final Path BLOCK_DEVICES = Path.of("/sys/block");

  private final MountTable.Mount mount;
  private final Path mountPoint;

  private MountHolders(MountTable.Mount mount) {
    this.mount = mount;
    this.mountPoint = HostPath.of(mount.mountPoint());
  }

  /**
   * Returns a description of each holder: processes, loop devices, mounts on top.
   *
   * @param mount the busy one
   * @param table to find what lies on top
   */
  static List<String> of(MountTable.Mount mount, MountTable table) {
    MountHolders holders = new MountHolders(mount);
    List<String> found = new ArrayList<>();
    holders.addProcesses(found);
    holders.addLoopDevices(found);
    for (MountTable.Mount above : table.above(mount)) {
      found.add("the mount at " + above.mountPoint());
    }
    return found;
  }

  private void addProcesses(List<String> found) {
    try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
      for (Path process : processes) {
        Set<String> uses = usesOf(process);
        if (!uses.isEmpty()) {
          String name = lineOf(process.resolve("comm"));
          found.add(name + " (pid " + process.getFileName() + ": " + String.join(", ", uses) + ")");
        }
      }
    } catch (IOException | DirectoryIteratorException noProc) {
      // Then no process can be named.
    }
  }

  private Set<String> usesOf(Path process) {
    Set<String> uses = new LinkedHashSet<>();
    if (isInside(process.resolve("cwd"))) {
      uses.add("current directory");
    }
    if (isInside(process.resolve("root"))) {
      uses.add("root directory");
    }
    if (isInside(process.resolve("exe"))) {
      uses.add("running program");
    }
    addOpenFiles(process, uses);
    if (uses.isEmpty() && mapsSomething(process)) {
      uses.add("mapped file");
    }
    return uses;
  }

  private void addOpenFiles(Path process, Set<String> uses) {
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(process.resolve("fd"))) {
      for (Path descriptor : descriptors) {
        Path info = process.resolve("fdinfo").resolve(descriptor.getFileName());
        if (isOnMount(info)) {
          uses.add(targetOf(descriptor));
        }
      }
    } catch (IOException | DirectoryIteratorException endedOrNotOurs) {
      // Other users' descriptors are not for us to see.
    }
  }

  private boolean isOnMount(Path fdInfo) {
    for (String line : linesOf(fdInfo)) {
      if (line.startsWith("mnt_id:")) {
        return line.substring("mnt_id:".length()).strip().equals(Integer.toString(mount.id()));
      }
    }
    return false;
  }

  /** The fourth field of a line of /proc/PID/maps is the device, in hex. */
  private boolean mapsSomething(Path process) {
    String[] numbers = mount.device().split(":");
    String device =
        String.format(" %02x:%02x ", Integer.parseInt(numbers[0]), Integer.parseInt(numbers[1]));
    return linesOf(process.resolve("maps")).stream().anyMatch(line -> line.contains(device));
  }

  private void addLoopDevices(List<String> found) {
    try (DirectoryStream<Path> devices = Files.newDirectoryStream(BLOCK_DEVICES, "loop*")) {
      for (Path device : devices) {
        String file = lineOf(device.resolve("loop/backing_file"));
        if (file.startsWith("/") && HostPath.of(file).startsWith(mountPoint)) {
          found.add("/dev/" + device.getFileName() + " (" + file + ")");
        }
      }
    } catch (IOException noSys) {
      // Then no device can be named.
    }
  }

  private boolean isInside(Path link) {
    try {
      return Files.readSymbolicLink(link).startsWith(mountPoint);
    } catch (IOException endedOrNotOurs) {
      return false;
    }
  }

  private static String targetOf(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (IOException ended) {
      return "a file";
    }
  }

  private static String lineOf(Path file) {
    List<String> lines = linesOf(file);
    return lines.isEmpty() ? "" : lines.get(0);
  }

  private static List<String> linesOf(Path file) {
    try {
      return new String(Files.readAllBytes(file), StandardCharsets.UTF_8).lines().toList();
    } catch (IOException endedOrNotOurs) {
      return List.of();
    }
  }
}
