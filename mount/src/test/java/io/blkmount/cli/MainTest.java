// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MainTest {
  @TempDir Path folder;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @Test
  void helpAndVersionGoToStandardOutput() {
    assertThat(run("--help")).isZero();
    assertThat(text(out)).isEqualTo(CommandLineParser.help());
    assertThat(run("--version")).isZero();
    assertThat(text(out)).contains("\nblkmount ", ", Java ");
    assertThat(text(err)).isEmpty();
  }

  @ParameterizedTest(name = "<{0}>")
  @CsvSource(
      delimiter = '|',
      value = {
        "''                  | an image and a mount point are needed; see blkmount --help",
        "--unmount           | --unmount needs one mount point; see blkmount --help",
        "--unmount a b       | --unmount needs one mount point; see blkmount --help",
        "--demo              | --demo needs one directory; see blkmount --help",
        "--lazy a            | --lazy belongs to --unmount; see blkmount --help",
        "-o suid a m         | mount option \"suid\" is not known (known are ro, rw,"
            + " allow_other, uid=, gid=, umask=); see blkmount --help",
      })
  void aCommandLineWithoutSenseIsOneLineAndExitCodeTwo(String line, String message) {
    assertThat(run(line.isEmpty() ? new String[0] : line.split(" "))).isEqualTo(2);
    assertThat(text(err)).isEqualTo("blkmount: " + message + "\n");
    assertThat(text(out)).isEmpty();
  }

  @ParameterizedTest(name = "<{0}>")
  @CsvSource(
      delimiter = '|',
      value = {
        "--unmount none   | mount point \"@/none\": no such file or directory",
        "--unmount .      | mount point \"@\": nothing is mounted there",
        "--unmount /proc  | mount point \"/proc\": not a mount of blkmount but proc (proc)",
      })
  void whatCannotBeUnmountedIsOneLineAndExitCodeOne(String line, String message) {
    assertThat(run(line.split(" "))).isEqualTo(1);
    assertThat(text(err)).isEqualTo("blkmount: " + message.replace("@", folder.toString()) + "\n");
  }

  @Test
  void namesStayOnTheLine() {
    assertThat(run("--unmount", "a\nb\udcff")).isEqualTo(1);
    assertThat(text(err).lines()).hasSize(1);
    assertThat(text(err)).contains("a\\x0ab\\xff");
  }

  private int run(String... words) {
    return Main.run(
        List.of(words), new WorkingDirectory(HostPath.nameOf(folder)), new Terminal(out, err));
  }

  private static String text(ByteArrayOutputStream stream) {
    return stream.toString(StandardCharsets.UTF_8);
  }
}
