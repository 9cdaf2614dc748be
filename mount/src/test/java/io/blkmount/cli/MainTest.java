// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
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
    assertThat(text(out)).isEqualTo(CommandLineHelp.text());
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
        "-o sync a m         | mount option \"sync\" is not known (known are ro, rw,"
            + " allow_other, uid=, gid=, umask=, noexec); see blkmount --help",
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

  @ParameterizedTest(name = "<{0}>")
  @CsvSource(
      delimiter = '|',
      value = {
        "none.qcow2 m            | cannot open \"@/none.qcow2\": no such file",
        "m empty-folder          | cannot open \"@/m\": is a directory",
        "-f qcow2 empty m        | image \"@/empty\": not a qcow2 image: the file is empty",
        "short.qcow2 m           | image \"@/short.qcow2\": not a qcow2 image: truncated header:"
            + " the file has 40 of 72 bytes",
        "-f qcow2 plain m        | image \"@/plain\": not a qcow2 image: no qcow2 magic at offset"
            + " 0",
        "-f vmdk plain m         | \"@/plain\": unknown format \"vmdk\": known are qcow2, raw",
        "lost.qcow2 m            | cannot open backing file \"gone.img\" of \"@/lost.qcow2\":"
            + " no such file (looked in @)",
        "plain none              | mount point \"@/none\": no such file or directory",
        "-f raw plain full       | mount point \"@/full\": not empty",
        "-f raw plain /proc      | mount point \"/proc\": in use: proc (proc) is mounted there",
        "-f raw plain plain      | mount point \"@/plain\": the mount would hide the image"
            + " \"@/plain\"",
        "-f raw --pid-file none/p plain m | pid file \"@/none/p\": no such file or directory",
        "-f raw --log-file none/l plain m | log file \"@/none/l\": no such file or directory",
      })
  void badInputIsOneLineAndExitCodeOneAndChangesNothing(String line, String message)
      throws IOException {
    makeBadInput();
    List<String> before = contents();

    assertThat(run(line.split(" "))).isEqualTo(1);

    assertThat(text(err)).isEqualTo("blkmount: " + message.replace("@", folder.toString()) + "\n");
    assertThat(text(out)).isEmpty();
    assertThat(contents()).isEqualTo(before);
  }

  @Test
  void namesStayOnTheLine() {
    assertThat(run("--unmount", "a\nb\udcff")).isEqualTo(1);
    assertThat(text(err).lines()).hasSize(1);
    assertThat(text(err)).contains("a\\x0ab\\xff");
  }

  private void makeBadInput() throws IOException {
    for (String directory : List.of("m", "empty-folder", "full")) {
      Files.createDirectory(folder.resolve(directory));
    }
    Files.createFile(folder.resolve("full/entry"));
    Files.createFile(folder.resolve("empty"));
    Files.write(folder.resolve("plain"), new byte[65536]);
    String lost = folder + "/lost.qcow2";
    BlockLayer.create(folder + "/gone.img", "raw", CreateOptions.ofLength(65536));
    BackingReference gone = new BackingReference("gone.img", "raw");
    BlockLayer.create(lost, "qcow2", new CreateOptions(65536, gone, Map.of()));
    Files.delete(folder.resolve("gone.img"));
    byte[] header = Files.readAllBytes(Path.of(lost));
    Files.write(folder.resolve("short.qcow2"), Arrays.copyOf(header, 40));
  }

  /** Names, times of change and bytes of everything in the folder. */
  private List<String> contents() throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      List<String> lines = new ArrayList<>();
      for (Path file : all.sorted().toList()) {
        int bytes = Files.isRegularFile(file) ? Arrays.hashCode(Files.readAllBytes(file)) : 0;
        lines.add(file + " " + Files.getLastModifiedTime(file) + " " + bytes);
      }
      return lines;
    }
  }

  private int run(String... words) {
    return Main.run(
        List.of(words), new WorkingDirectory(HostPath.nameOf(folder)), new Terminal(out, err));
  }

  private static String text(ByteArrayOutputStream stream) {
    return stream.toString(StandardCharsets.UTF_8);
  }
}
