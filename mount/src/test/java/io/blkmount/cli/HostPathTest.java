// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.HostName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HostPathTest {
  private static final byte[] NO_UTF8 = {
    'a', ' ', (byte) 0xff, '\n', '%', (byte) 0xc3, (byte) 0xa4
  };

  @Test
  void everyByteOfANameReachesTheHostAndComesBack(@TempDir Path folder) throws IOException {
    String name = HostPath.nameOf(folder) + "/" + HostName.decode(NO_UTF8);

    Files.writeString(HostPath.of(name), "x");

    try (var entries = Files.newDirectoryStream(folder)) {
      assertThat(entries).extracting(HostPath::nameOf).containsExactly(name);
    }
  }

  @Test
  void theNameOfAFolderHasNoSlashAtItsEndExceptForTheRoot(@TempDir Path folder) {
    assertThat(HostPath.nameOf(folder)).isEqualTo(folder.toString());
    assertThat(HostPath.nameOf(Path.of("/"))).isEqualTo("/");
  }
}
