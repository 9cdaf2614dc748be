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
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The setuid program: what it is asked for, what it hands over, and how it fails. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class FusermountTest {
  private static final int INIT = 26;
  private static final MountOptions OPTIONS = MountOptions.of("disk", 0, 0);

  @TempDir Path folder;
  private String mountPoint;

  @BeforeEach
  void makeAMountPoint() throws IOException {
    mountPoint = Files.createDirectory(folder.toRealPath().resolve("mnt")).toString();
  }

  private static String words(MountOptions options) {
    return String.join(",", Fusermount.words(options));
  }

  @Test
  void mountIsNamedAfterTheImageAndPrivate() {
    assertThat(words(MountOptions.of("a.img", 1, 2)))
        .isEqualTo(
            "fsname=a.img,subtype=blkmount,nosuid,nodev,default_permissions,max_read=1048576");
  }

  @Test
  void specialCharactersOfTheNameAreHiddenFromTheParser() {
    assertThat(words(MountOptions.of("a,b\\c=d e", 1, 2)))
        .startsWith("fsname=a\\,b\\\\c=d e,subtype");
  }

  @Test
  void optionsOfTheUserComeLastWithoutTheOneThatItDoesNotKnow() {
    MountOptions options =
        new MountOptions(
            "a", true, true, 0, 0, 0, ServingOptions.DEFAULT, List.of("nonempty", "noatime"));

    assertThat(words(options)).endsWith(",max_read=1048576,ro,allow_other,noatime");
  }

  @Test
  void descriptorBringsRequests() throws IOException {
    FreshMount.assumePossible();
    long before = FreshMount.openDescriptors();

    int device = Fusermount.mount(mountPoint, OPTIONS);
    try (FreshMount mount = new FreshMount(mountPoint, device)) {
      assertThat(mount.firstOpcode()).isEqualTo(INIT);
      assertThat(mount.isClosedOnExec()).isTrue();
      assertThat(FreshMount.openDescriptors()).isEqualTo(before + 1);
    }
  }

  @Test
  void mountIsShownUnderItsImagesNameByteForByte() throws IOException {
    FreshMount.assumePossible();
    String name = "a,b\\c d\n\udcff.img,\u00e9";

    int device = Fusermount.mount(mountPoint, MountOptions.of(name, 0, 0));
    try (FreshMount mount = new FreshMount(mountPoint, device)) {
      assertThat(mount.firstOpcode()).isEqualTo(INIT);
      assertThat(FreshMount.shown(mountPoint).type()).isEqualTo("fuse.blkmount");
      assertThat(FreshMount.shown(mountPoint).source()).isEqualTo(name);
    }
  }

  @Test
  void refusalIsTheFirstLineThatTheProgramSays() throws IOException {
    String program = program("echo \"$0: not you\" >&2; echo more >&2; exit 1");

    assertRefused(List.of(program), BlockError.NOT_PERMITTED, program + ": not you");
  }

  @Test
  void silentEndIsSaid() throws IOException {
    assertRefused(
        List.of(program("exit 3")),
        BlockError.NOT_PERMITTED,
        "no descriptor came from fusermount3 (exit code 3)");
  }

  @Test
  void deathBySignalIsSaid() throws IOException {
    assertRefused(
        List.of(program("kill -9 $$")),
        BlockError.NOT_PERMITTED,
        "no descriptor came from fusermount3");
  }

  /** As a shell inherits it: what it says arrives, and the reader waits for no more. */
  @Test
  void programIsToldItsSocketAndGetsTheEnvironment() throws IOException {
    String program = program("echo $_FUSE_COMMFD $(stat -Lc %F /proc/self/fd/3) $PATH >&2; exit 1");

    assertRefused(List.of(program), BlockError.NOT_PERMITTED, "3 socket " + System.getenv("PATH"));
  }

  @Test
  void argumentsAreTheOptionsAndTheMountPoint() throws IOException {
    String program = program("echo \"$@\" >&2; exit 1");

    assertRefused(
        List.of(program), BlockError.NOT_PERMITTED, "-o " + words(OPTIONS) + " -- " + mountPoint);
  }

  @Test
  void nextProgramIsTriedWhereThereIsNone() throws IOException {
    String second = program("echo second >&2; exit 1");

    assertRefused(List.of("/nowhere/first", second), BlockError.NOT_PERMITTED, "second");
  }

  @Test
  void missingProgramIsSaidWithItsPackage() throws IOException {
    assertRefused(
        List.of("fusermount-of-nobody", "/nowhere/second"),
        BlockError.NOT_FOUND,
        "cannot run \"fusermount-of-nobody\": No such file or directory"
            + " (on Debian: apt-get install fuse3)");
  }

  @Test
  void programThatMayNotBeRunIsSaid() throws IOException {
    Path file = Files.createFile(folder.resolve("no-program"));

    assertRefused(
        List.of(file.toString()),
        BlockError.ACCESS_DENIED,
        "cannot run \"" + file + "\": Permission denied (on Debian: apt-get install fuse3)");
  }

  private String program(String script) throws IOException {
    Path file = Files.writeString(folder.resolve("program"), "#!/bin/sh\n" + script + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    return file.toString();
  }

  private void assertRefused(List<String> programs, BlockError error, String why)
      throws IOException {
    long before = FreshMount.openDescriptors();
    assertThatThrownBy(() -> Fusermount.mount(programs, mountPoint, OPTIONS))
        .isInstanceOfSatisfying(BlockException.class, e -> assertThat(e.error()).isEqualTo(error))
        .hasMessage("cannot mount on \"" + mountPoint + "\": " + why);
    assertThat(FreshMount.openDescriptors()).isEqualTo(before);
    assertThat(FreshMount.shown(mountPoint)).isNull();
    assertThat(ProcessHandle.current().children()).noneMatch(FusermountTest::isZombie);
  }

  private static boolean isZombie(ProcessHandle child) {
    try {
      return Files.readString(Path.of("/proc/" + child.pid() + "/stat")).contains(") Z ");
    } catch (IOException gone) {
      return false;
    }
  }
}
