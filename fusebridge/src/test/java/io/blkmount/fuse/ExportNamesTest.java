// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.HostName;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ExportNamesTest {
  @ParameterizedTest
  @CsvSource({
    "disk.qcow2, disk.raw",
    "/srv/images/disk.qcow2, disk.raw",
    "disk, disk.raw",
    "a.tar.gz, a.tar.raw",
    ".hidden, .hidden.raw",
    "a:b.qcow2, a:b.raw",
    "file:/srv/disk.img, disk.raw",
    "file:disk.img, disk.raw",
    "host_device:/dev/loop0, loop0.raw",
    "/srv/, disk.raw",
    "new disk.img, new disk.raw",
  })
  void nameIsTheImagesWithItsLastExtensionReplaced(String image, String name) {
    assertThat(ExportNames.free(image, Set.of())).isEqualTo(name);
  }

  @Test
  void takenNameGetsANumber() {
    Set<String> taken = Set.of("disk.raw", "disk-2.raw");

    assertThat(ExportNames.free("disk.img", taken)).isEqualTo("disk-3.raw");
  }

  @Test
  void nameThatWouldBeTooLongForTheHostIsCut() {
    String name = ExportNames.free("\u00fc".repeat(127) + "x", Set.of());

    assertThat(HostName.encode(name)).hasSize(255);
    assertThat(name).endsWith(".raw");
  }

  @Test
  void nameWithoutImageIsDisk() {
    assertThat(ExportNames.free("", Set.of())).isEqualTo("disk.raw");
  }
}
