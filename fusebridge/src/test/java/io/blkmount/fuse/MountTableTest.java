// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;

final class MountTableTest {
  private static final String TABLE =
      "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
          + "41 22 0:39 / /mnt/a rw,nosuid shared:1 master:2 - fuse.blkmount a.img rw,user_id=0\n"
          + "42 41 0:40 / /mnt/a ro - fuse.blkmount b\\134\\054.img ro\n"
          + "43 22 0:41 / /mnt/x\\040y\\012\u00ff rw - tmpfs none rw\n";

  @Test
  void topmostMountOfAStackIsFound() {
    MountTable table = MountTable.parse(TABLE);

    assertThat(table.at("/mnt/a"))
        .isEqualTo(new MountTable.Mount("/mnt/a", "0:40", "fuse.blkmount", "b\\,.img"));
    assertThat(table.at("/mnt")).isNull();
  }

  @Test
  void namesAreReadByteForByte() {
    assertThat(MountTable.parse(TABLE).at("/mnt/x y\n\udcff").type()).isEqualTo("tmpfs");
  }

  @Test
  void thisMachinesTableHasARoot() throws IOException {
    assertThat(MountTable.read().at("/")).isNotNull();
  }
}
