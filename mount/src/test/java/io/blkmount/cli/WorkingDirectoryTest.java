// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class WorkingDirectoryTest {
  @TempDir Path folder;

  @Test
  void aNameWithAColonIsAFileIfItExists() throws IOException {
    Files.createFile(folder.resolve("file:b.qcow2"));
    WorkingDirectory directory = new WorkingDirectory(folder.toString());

    assertThat(directory.resolveImage("file:b.qcow2")).isEqualTo(folder + "/file:b.qcow2");
    assertThat(directory.resolveImage("file:c.qcow2")).isEqualTo("file:" + folder + "/c.qcow2");
    assertThat(directory.resolveImage("host_device:/dev/x")).isEqualTo("host_device:/dev/x");
    assertThat(directory.resolveImage("nbd:x")).isEqualTo("nbd:x");
    assertThat(directory.resolveImage("./nbd:x")).isEqualTo(folder + "/./nbd:x");
  }

  @Test
  void theRootNeedsNoSecondSlash() {
    assertThat(new WorkingDirectory("/").resolve("a")).isEqualTo("/a");
  }
}
