// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names that shells, JVMs and mount tables find hard, and several images in one mount. */
final class NamesTest {
  @RegisterExtension final Workbench bench = new Workbench();

  /** In the syntax of $'...': the bytes of the last one are no UTF-8. */
  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {
        "with space",
        "new\\nline",
        "a:b",
        "nbd:b",
        "--dash",
        "comma,equals=",
        "back\\\\slash",
        "quote\\'s\\\"",
        "\\xc3\\xa4\\xe2\\x82\\xac",
        "latin\\xe4\\xff"
      })
  void anImageAndAMountPointMayHaveAnyName(String name) {
    Shell.bash(
        """
        cd $2
        name=$'%s'
        mkdir -- "$name dir" "$name mnt"
        truncate -s 64k base.raw
        qemu-img create -q -f qcow2 -b ../base.raw -F raw tmp.qcow2 1M 2>/dev/null ||
          qemu-img create -q -f qcow2 -b base.raw -F raw tmp.qcow2 1M
        qemu-img rebase -q -u -b ../base.raw -F raw tmp.qcow2
        mv -- tmp.qcow2 "$name dir/$name.qcow2"
        $1 $3 --log-file "$name log" -- "$name dir/$name.qcow2" "$name mnt"
        test "$(stat -c %%s -- "$name mnt/$name.raw")" = 1048576
        printf hello | dd of="$2/$name mnt/$name.raw" conv=notrunc,fsync status=none
        $1 --unmount -- "$name mnt"
        test -z "$(ls -A -- "$name mnt")"
        mv -- "$name dir/$name.qcow2" tmp.qcow2
        mkdir sub && mv tmp.qcow2 sub
        test "$(qemu-img dd -O raw if=sub/tmp.qcow2 of=out bs=5 count=1; cat out)" = hello
        qemu-img check -q sub/tmp.qcow2
        """
            .formatted(name),
        Project.launcher(),
        bench.folder(),
        bench.fuseOption());
  }

  @Test
  void aNameWithAColonIsAFileIfItExists() throws IOException {
    Path image = bench.path("a:b.qcow2");
    Files.copy(bench.qcow2("plain.qcow2", "1M"), image);
    Path mountPoint = Files.createDirectory(bench.path("mnt"));

    Shell.bash(
        "cd $1 && $2 $3 --log-file log a:b.qcow2 mnt",
        bench.folder(),
        Project.launcher(),
        bench.fuseOption());

    assertThat(mountPoint.resolve("a:b.raw")).hasSize(1 << 20);
    Shell.run(Project.launcher(), "--unmount", mountPoint).requireSuccess();
  }

  @Test
  void severalImagesAreSideBySide() throws IOException {
    Path one = bench.randomFile("one.img", 1 << 20, 1);
    Path two = bench.qcow2("two.qcow2", "2M");

    MountedImage mount = bench.mount(one, two);

    Contents.requireSame(one, mount.mountPoint().resolve("one.raw"));
    assertThat(mount.mountPoint().resolve("two.raw")).hasSize(2 << 20);
    mount.unmount();
    Locks.requireReleased(two);
  }

  @Test
  void equalNamesGetASuffix() throws IOException {
    Files.createDirectories(bench.path("a"));
    Files.createDirectories(bench.path("b"));
    Path one = bench.qcow2("a/disk.qcow2", "1M");
    Path two = bench.qcow2("b/disk.qcow2", "2M");
    Path three = bench.randomFile("disk.img", 3 << 20, 1);

    MountedImage mount = bench.mount(one, two, three);

    assertThat(Shell.bash("cd $1; stat -c %s *", mount.mountPoint()).lines())
        .containsExactlyInAnyOrder("" + (1 << 20), "" + (2 << 20), "" + (3 << 20));
    assertThat(mount.mountPoint().resolve("disk.raw")).hasSize(1 << 20);
  }

  @Test
  void aFileAsMountPointIsTheDisk() throws IOException {
    Path source = bench.randomFile("source", 1 << 20, 2);
    Path image = bench.qcow2("disk.qcow2", "1M");
    Path file = Files.createFile(bench.path("disk"));

    MountedImage mount = bench.mountOn(file, image);

    Shell.bash("dd if=$1 of=$2 bs=1M conv=notrunc,fsync status=none", source, file);
    Contents.requireSame(source, file);
    mount.unmount();
    assertThat(file).isEmptyFile();
  }

  /** A relative backing file of the image is looked up from where the link is, as QEMU does. */
  @Test
  void aSymbolicLinkToTheImageIsFollowed() throws IOException {
    Files.createDirectories(bench.path("images"));
    Path base = bench.randomFile("images/base.raw", 1 << 20, 3);
    bench.overlay("images/disk.qcow2", base, "raw");
    Path link = Files.createSymbolicLink(bench.path("link"), bench.path("images/disk.qcow2"));

    MountedImage mount = bench.mount(link);

    Contents.requireSame(base, mount.disk());
    assertThat(mount.disk()).hasFileName("link.raw");
  }
}
