// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.blkmount.fuse.MountTable.Mount;
import java.io.IOException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

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
  void topmostMountOfAStackIsFound() {
    MountTable table =
        MountTable.parse(
            """
            30 22 0:31 / /mnt/s rw - tmpfs bottom rw
            31 30 0:32 / /mnt/s rw - fuse.blkmount middle rw
            32 31 0:33 / /mnt/s rw - fuse.blkmount top ro
            33 22 0:34 / /mnt/s/below rw - tmpfs other rw
            34 22 0:35 / /mnt/start rw - tmpfs other rw
            """);

    assertThat(table.at("/mnt/s")).isNotNull().extracting(Mount::source).isEqualTo("top");
    assertThat(table.at("/mnt/s").device()).isEqualTo("0:33");
  }

  /** One character of the first is one byte, as the table is read. */
  static Stream<Arguments> writtenAndMeant() {
    return Stream.of(
        arguments("/a\\040b", "/a b"),
        arguments("/tab\\011", "/tab\t"),
        arguments("/line\\012end", "/line\nend"),
        arguments("/back\\134slash", "/back\\slash"),
        arguments("/\\134040", "/\\040"),
        arguments("/hash\\043", "/hash#"),
        arguments("/\u00c3\u00a4", "/\u00e4"),
        arguments("/\u00ff\u0080", "/\udcff\udc80"),
        arguments("/\\040\u00c3", "/ \udcc3"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("writtenAndMeant")
  void namesAreReadByteForByte(String written, String name) {
    MountTable table =
        MountTable.parse("30 22 0:31 / " + written + " rw - fuse.blkmount " + written + " rw\n");

    assertThat(table.at(name)).isNotNull().extracting(Mount::source).isEqualTo(name);
  }

  @Test
  void thisMachinesTableHasARoot() throws IOException {
    assertThat(MountTable.read().at("/")).isNotNull();
  }
}
