// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.cli.MountTable.Mount;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

final class MountTableTest {
  private static final String TEXT =
      """
      22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
      90 22 0:47 / /mnt/a\\040b rw,nosuid - fuse.blkmount /img\\134x.qcow2 rw,user_id=0
      91 90 0:48 / /mnt/a\\040b rw master:3 shared:7 - tmpfs tmpfs rw
      92 22 0:49 / /mnt/\u00ff rw - fuse.blkmount y rw
      """;

  private static final MountTable TABLE =
      MountTable.parse(TEXT.getBytes(StandardCharsets.ISO_8859_1));

  @Test
  void theLastMountOfAPlaceIsTheOneThatIsSeen() {
    assertThat(TABLE.at("/mnt/a b"))
        .isEqualTo(new Mount(91, 90, "0:48", "/mnt/a b", "tmpfs", "tmpfs"));
    assertThat(TABLE.at("/mnt")).isNull();
  }

  @Test
  void namesKeepTheirBytes() {
    assertThat(TABLE.mounts().get(1).source()).isEqualTo("/img\\x.qcow2");
    assertThat(TABLE.at("/mnt/\udcff")).isNotNull().matches(Mount::isOurs);
  }

  @Test
  void mountsOnTopOfAnotherAreFoundByTheParent() {
    assertThat(TABLE.above(TABLE.mounts().get(1))).extracting(Mount::id).containsExactly(91);
  }
}
