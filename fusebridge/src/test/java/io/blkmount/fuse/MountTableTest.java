// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.fuse.MountTable.Mount;
import java.io.IOException;
import org.junit.jupiter.api.Test;

final class MountTableTest {
  private static final String TEXT =
      """
      22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
      90 22 0:47 / /mnt/a\\040b rw,nosuid - fuse.blkmount /img\\134x.qcow2 rw,user_id=0
      91 90 0:48 / /mnt/a\\040b rw master:3 shared:7 - tmpfs tmpfs rw
      92 22 0:49 / /mnt/\u00ff rw - fuse.blkmount y rw
      """;

  private static final MountTable TABLE = MountTable.parse(TEXT);

  private static final Mount ROOT = new Mount(22, 1, "/", "8:1", "ext4", "/dev/sda1");

  private static final Mount OVERLAID =
      new Mount(90, 22, "/mnt/a b", "0:47", "fuse.blkmount", "/img\\x.qcow2");

  @Test
  void theLastMountOfAPlaceIsTheOneThatIsSeen() {
    assertThat(TABLE.at("/mnt/a b"))
        .isEqualTo(new Mount(91, 90, "/mnt/a b", "0:48", "tmpfs", "tmpfs"));
    assertThat(TABLE.at("/mnt")).isNull();
  }

  @Test
  void namesKeepTheirBytes() {
    assertThat(TABLE.above(ROOT)).contains(OVERLAID);
    assertThat(TABLE.at("/mnt/\udcff")).isNotNull().matches(Mount::isOurs);
  }

  @Test
  void mountsOnTopOfAnotherAreFoundByTheParent() {
    assertThat(TABLE.above(OVERLAID)).extracting(Mount::id).containsExactly(91);
  }

  @Test
  void thisMachinesTableHasARoot() throws IOException {
    assertThat(MountTable.read().at("/")).isNotNull();
  }
}
