// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Mounts by somebody who is not root. */
@OverBothTransports
final class OrdinaryUserTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(60);

  /**
   * What the scripts are made of; they run as root in the folder, $1. A host decides by the mode of
   * /dev/fuse and by /etc/fuse.conf what its users may do, so each script brings its own.
   */
  private static final String WORDS =
      """
      set -euo pipefail
      cd $1; launcher=$2 fuse=$3

      user() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
      fails() { ! "$@"; }
      blkmount() { user "$launcher" $fuse --log-file log --pid-file pid "$@"; }
      unmount() { user "$launcher" --unmount mnt; }
      unmount_by_tool() { local server=$(cat pid); user fusermount3 -u mnt; tail --pid=$server -f /dev/null; }
      device() { mknod fuse c 10 229; chmod $1 fuse; mount --bind fuse /dev/fuse; }
      settings() { echo "$1" >fuse.conf; mount --bind fuse.conf /etc/fuse.conf; }
      """;

  @RegisterExtension final Workbench bench;

  OrdinaryUserTest(String transport) {
    bench = new Workbench(transport);
  }

  @BeforeEach
  void makeFilesOfNobody() throws IOException {
    Path given = Files.createDirectory(bench.path("given"));
    bench.qcow2("given/disk.qcow2", "1M");
    bench.randomFile("given/source", 1 << 20, 1);
    Shell.bash("mkdir $1/mnt; chown -R nobody:nogroup $1; chmod 711 $2", given, bench.folder());
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"unmount", "unmount_by_tool"})
  void mountsWritesAndUnmounts(String way) {
    run("""
    device 666
    blkmount disk.qcow2 mnt
    test "$(user stat -c '%U %a' mnt/disk.raw)" = "nobody 600"
    user dd if=source of=mnt/disk.raw bs=64k conv=notrunc,fsync status=none
    user cmp source mnt/disk.raw
    """
            + way
            + """

            test ! -e pid
            fails mountpoint -q mnt
            qemu-img check -q disk.qcow2
            qemu-img compare -q -f qcow2 -F raw disk.qcow2 source
            """)
        .requireSuccess();

    assertThat(Shell.bash("stat -c %U $1", bench.path("given/disk.qcow2"))).isEqualTo("nobody");
  }

  @Test
  void mountsOnAFile() {
    run("""
    device 666
    user touch disk.raw
    blkmount disk.qcow2 disk.raw
    user dd if=source of=disk.raw bs=64k conv=notrunc,fsync status=none
    user "$launcher" --unmount disk.raw
    test ! -s disk.raw
    qemu-img compare -q -f qcow2 -F raw disk.qcow2 source
    """)
        .requireSuccess();
  }

  @Test
  void notEvenRootMayOpenTheDisk() {
    Shell.Result result =
        run(
            """
            device 666
            blkmount disk.qcow2 mnt
            fails cat mnt/disk.raw
            fails losetup --find mnt/disk.raw
            unmount
            """);

    result.requireSuccess();
    assertThat(result.errorLines())
        .containsExactly(
            "cat: mnt/disk.raw: Permission denied",
            "losetup: mnt/disk.raw: failed to set up loop device: Permission denied");
  }

  @Test
  void rootMayWhereTheHostAllowsAllowOther() {
    run("""
    device 666
    settings user_allow_other
    blkmount -o allow_other disk.qcow2 mnt
    loop=$(losetup --find --show mnt/disk.raw)
    trap 'losetup --detach $loop' EXIT
    dd if=source of=$loop bs=64k conv=fsync status=none
    losetup --detach $loop
    trap - EXIT
    unmount
    qemu-img compare -q -f qcow2 -F raw disk.qcow2 source
    """)
        .requireSuccess();
  }

  @Test
  void refusalOfAllowOtherNamesTheSetting() {
    Shell.Result result =
        run(
            """
            device 666
            settings '# user_allow_other'
            fails blkmount -o allow_other disk.qcow2 mnt
            fails mountpoint -q mnt
            test ! -e pid
            """);

    result.requireSuccess();
    assertThat(result.errors())
        .contains("option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf")
        .contains("blkmount: cannot mount on \"" + bench.path("given/mnt"));
  }

  /** Also the setuid program opens the device with the rights of its user. */
  @Test
  void deviceThatUsersMayNotOpenIsNamedInOneLine() {
    Shell.Result result =
        run(
            """
            device 600
            fails blkmount disk.qcow2 mnt
            fails mountpoint -q mnt
            test ! -e pid
            """);

    result.requireSuccess();
    assertThat(result.errorLines()).hasSize(1);
    assertThat(result.errors())
        .startsWith("blkmount: cannot mount on \"" + bench.path("given/mnt") + "\": ")
        .endsWith("(as root: chmod a+rw /dev/fuse)\n");
  }

  /** Runs a script in namespaces of its own: what it mounts and starts is gone at its end. */
  private Shell.Result run(String script) {
    return Shell.run(
        TIMEOUT,
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "bash",
        "-c",
        WORDS + script,
        "bash",
        bench.path("given"),
        Project.launcher(),
        bench.fuseOption());
  }
}
