// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A mount by somebody who is not root. */
final class OrdinaryUserTest {
  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void mountsWritesAndUnmounts() throws IOException {
    Path given = Files.createDirectory(bench.path("given"));
    Path source = bench.randomFile("source", 1 << 20, 1);
    bench.qcow2("given/disk.qcow2", "1M");
    Files.createDirectory(given.resolve("mnt"));
    Shell.bash(
        "chown -R nobody:nogroup $1; chmod 711 $2; chmod 444 $3", given, bench.folder(), source);

    inOwnMountNamespace(
        """
        cd $2
        mknod ../fuse c 10 229 && chmod 666 ../fuse && mount --bind ../fuse /dev/fuse
        setpriv --reuid=nobody --regid=nogroup --clear-groups bash -euc '
          "$1" --log-file log disk.qcow2 mnt
          test "$(stat -c "%U %a" mnt/disk.raw)" = "nobody 600"
          dd if="$2" of=mnt/disk.raw conv=notrunc,fsync status=none
          cmp "$2" mnt/disk.raw
          "$1" --unmount mnt
        ' bash $1 $3
        qemu-img compare -f qcow2 -F raw disk.qcow2 $3
        """,
        Project.launcher(), given, source);

    assertThat(Shell.bash("stat -c %U $1", given.resolve("disk.qcow2"))).isEqualTo("nobody");
  }

  /** Where everybody may open /dev/fuse, as on a desktop, whatever this machine allows. */
  private static void inOwnMountNamespace(String script, Object... arguments) {
    Object[] command = new Object[arguments.length + 6];
    System.arraycopy(
        new Object[] {"unshare", "--mount", "bash", "-euc", script, "bash"}, 0, command, 0, 6);
    System.arraycopy(arguments, 0, command, 6, arguments.length);
    Shell.run(command).requireSuccess();
  }
}
