// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.fuse.MountTable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code blkmount --demo DIR}: a base image, an overlay on it, and a mount of the overlay. */
final class DemoCommand {
  private static final int BASE_BYTES = 64 << 20;
  private static final int BLOCK_BYTES = 4096;

  private final Terminal terminal;
  private final String folder;

  private DemoCommand(Terminal terminal, String folder) {
    this.terminal = terminal;
    this.folder = folder;
  }

  /**
   * Makes what is not there yet, and mounts it.
   *
   * @param folder absolute name; made if it is missing
   * @return the exit code: of the server, or 0 if the demo was mounted already
   */
  static int run(CommandLineOptions options, String folder, Terminal terminal)
      throws CommandFailure {
    return new DemoCommand(terminal, folder).run(options);
  }

  private int run(CommandLineOptions options) throws CommandFailure {
    createFolder(mountPoint());
    if (isMounted()) {
      terminal.say("already mounted: " + mountPoint() + "\n\n" + whatToTry());
      return ExitCode.DONE;
    }
    boolean isNew = createImages();
    MountRequest request =
        MountRequest.of(
            options.withOperands(overlay(), mountPoint()), new WorkingDirectory(folder));
    String found = isNew ? "made " : "found ";
    String greeting =
        found + base() + " and its overlay " + overlay() + "; mounted on " + mountPoint() + "\n\n";
    return MountCommand.run(request, terminal, greeting + whatToTry());
  }

  private void createFolder(String name) throws CommandFailure {
    try {
      Files.createDirectories(HostPath.of(name));
    } catch (IOException e) {
      // What a dead mount of an earlier demo answers; the mount takes it away.
      if (!MountPoint.isDead(name)) {
        throw CommandFailure.failed("\"" + name + "\": " + MountPoint.reason(e), e);
      }
    }
  }

  private boolean isMounted() throws CommandFailure {
    String name = MountPoint.realName(mountPoint());
    MountTable.@Nullable Mount mount = MountPoint.mountAt(name);
    return mount != null && mount.isOurs() && !MountPoint.isDead(name);
  }

  /** Returns whether they are new; images of an earlier demo, and what was written there, stay. */
  private boolean createImages() throws CommandFailure {
    if (Files.exists(HostPath.of(overlay())) && Files.exists(HostPath.of(base()))) {
      return false;
    }
    try {
      writeBase(HostPath.of(base()));
      CreateOptions onBase =
          new CreateOptions(-1, new BackingReference("base.img", "raw"), Map.of());
      BlockLayer.create(overlay(), "qcow2", onBase);
      return true;
    } catch (IOException e) {
      throw CommandFailure.failed("the images in \"" + folder + "\": " + MountPoint.reason(e), e);
    }
  }

  /** Each block of the base says where it is, so that one sees at once what is shown where. */
  private static void writeBase(Path base) throws IOException {
    try (OutputStream target = Files.newOutputStream(base)) {
      byte[] block = new byte[BLOCK_BYTES];
      for (int offset = 0; offset < BASE_BYTES; offset += BLOCK_BYTES) {
        Arrays.fill(block, (byte) '.');
        byte[] label = ("base image, offset " + offset + "\n").getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(label, 0, block, 0, label.length);
        block[BLOCK_BYTES - 1] = '\n';
        target.write(block);
      }
    }
  }

  private String whatToTry() {
    String disk = quoted(mountPoint() + "/disk.raw");
    String plainBase = quoted(base());
    return String.join(
        "\n",
        List.of(
            "The overlay is one flat raw file now. Try:",
            "  ls -l " + quoted(mountPoint()),
            "  dd if=" + disk + " bs=4096 skip=1000 count=1 status=none | head -n 1",
            "  cmp " + plainBase + " " + disk + " && echo same",
            "  dd if=/dev/urandom of=" + disk + " bs=1M count=4 conv=notrunc,fsync",
            "  cmp " + plainBase + " " + disk + "      # differs now: the base is as it was",
            "  losetup --find --show "
                + disk
                + "      # as root; losetup --detach it before the end",
            "  " + command() + " --unmount " + quoted(mountPoint()),
            ""));
  }

  /** Quotes a name for the shell where it needs it. */
  private static String quoted(String name) {
    return name.matches("[A-Za-z0-9/._-]+") ? name : "'" + name.replace("'", "'\\''") + "'";
  }

  private static String command() {
    @Nullable String launcher = ProcessWords.variable("BLKMOUNT_COMMAND");
    return launcher == null ? "blkmount" : quoted(launcher);
  }

  private String base() {
    return folder + "/base.img";
  }

  private String overlay() {
    return folder + "/disk.qcow2";
  }

  private String mountPoint() {
    return folder + "/mnt";
  }
}
