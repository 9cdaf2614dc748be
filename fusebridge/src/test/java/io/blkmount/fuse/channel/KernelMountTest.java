// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.MountOptions;
import io.blkmount.fuse.ServingOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the kernel is asked for, and what it answers. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class KernelMountTest {
  private static final int INIT = 26;

  @TempDir Path folder;
  private String directory;

  @BeforeEach
  void makeAMountPoint() throws IOException {
    FreshMount.assumePossible();
    directory = Files.createDirectory(folder.toRealPath().resolve("mnt")).toString();
  }

  @Test
  void descriptorOfADirectoryBringsRequests() throws IOException {
    int device = KernelMount.mount(directory, true, MountOptions.of("disk", 0, 0));
    try (FreshMount mount = new FreshMount(directory, device)) {
      assertThat(mount.firstOpcode()).isEqualTo(INIT);
      assertThat(mount.isClosedOnExec()).isTrue();
    }

    assertThat(FreshMount.shown(directory)).isNull();
  }

  @Test
  void descriptorOfAFileBringsRequests() throws IOException {
    String file = Files.createFile(Path.of(directory, "disk.raw")).toString();

    int device = KernelMount.mount(file, false, MountOptions.of("disk", 0, 0));
    try (FreshMount mount = new FreshMount(file, device)) {
      assertThat(mount.firstOpcode()).isEqualTo(INIT);
    }

    assertThat(FreshMount.shown(file)).isNull();
  }

  @Test
  void mountIsShownUnderItsImagesNameByteForByte() throws IOException {
    String name = "a,b\\c d\n\udcff.img,\u00e9";

    int device = KernelMount.mount(directory, true, MountOptions.of(name, 0, 0));
    try (FreshMount mount = new FreshMount(directory, device)) {
      assertThat(mount.firstOpcode()).isEqualTo(INIT);
      assertThat(FreshMount.shown(directory).type()).isEqualTo("fuse.blkmount");
      assertThat(FreshMount.shown(directory).source()).isEqualTo(name);
    }
  }

  @Test
  void optionsReachTheKernel() throws IOException {
    List<String> extra = List.of("nonempty", "noexec", "noatime");
    MountOptions options =
        new MountOptions("disk", true, true, 7, 8, 0, ServingOptions.DEFAULT, extra);

    int device = KernelMount.mount(directory, true, options);
    try (FreshMount mount = new FreshMount(directory, device)) {
      assertThat(mount.firstOpcode()).isEqualTo(INIT);
      assertThat(Files.readAllLines(Path.of("/proc/self/mounts")))
          .contains(
              "disk "
                  + directory
                  + " fuse.blkmount ro,nosuid,nodev,noexec,noatime,"
                  + "user_id=0,group_id=0,default_permissions,allow_other,max_read=1048576 0 0");
    }
  }

  @Test
  void unknownOptionIsRefused() throws IOException {
    MountOptions options = MountOptions.of("disk", 0, 0).withExtra(List.of("big_writes"));

    assertRefused(directory, options, BlockError.INVALID, "unknown mount option \"big_writes\"");
  }

  @Test
  void refusalOfTheKernelIsOneLineAndLeavesNoDescriptor() throws IOException {
    String nowhere = directory + "/nowhere";
    MountOptions options = MountOptions.of("disk", 0, 0);
    long before = FreshMount.openDescriptors();

    assertRefused(nowhere, options, BlockError.NOT_FOUND, "No such file or directory");

    assertThat(FreshMount.openDescriptors()).isEqualTo(before);
  }

  private static void assertRefused(
      String mountPoint, MountOptions options, BlockError error, String why) throws IOException {
    assertThatThrownBy(() -> KernelMount.mount(mountPoint, true, options))
        .isInstanceOfSatisfying(BlockException.class, e -> assertThat(e.error()).isEqualTo(error))
        .hasMessage("cannot mount on \"" + mountPoint + "\": " + why);
    assertThat(FreshMount.shown(mountPoint)).isNull();
  }
}
