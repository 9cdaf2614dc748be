// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PidFileTest {
  private static final String PID = ProcessHandle.current().pid() + "\n";

  @TempDir Path folder;

  @Test
  void whatAServerThatIsGoneLeftBehindIsReplaced() throws Exception {
    Path file = Files.writeString(folder.resolve("pid"), "1234567890\n");

    try (PidFile pidFile = PidFile.write(file.toString())) {
      assertThat(pidFile).isNotNull();
      assertThat(file).hasContent(PID);
    }
    assertThat(file).doesNotExist();
  }

  @Test
  void thatOfARunningServerIsLeftAlone() throws Exception {
    Path file = folder.resolve("pid");
    try (PidFile first = PidFile.write(file.toString())) {
      assertThat(first).isNotNull();

      assertThatThrownBy(() -> PidFile.write(file.toString()))
          .isInstanceOf(CommandFailure.class)
          .hasMessage("pid file \"" + file + "\": in use by a server that runs");

      assertThat(file).hasContent(PID);
    }
  }

  /** As root, who could remove /dev/null itself. */
  @Test
  void whatIsNoRegularFileStays() throws Exception {
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("/dev/null"));

    PidFile.write(link.toString()).close();

    assertThat(link).isSymbolicLink();
  }
}
