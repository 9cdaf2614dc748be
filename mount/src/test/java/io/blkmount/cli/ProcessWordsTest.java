// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.HostName;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ProcessWordsTest {
  private static final byte[] NO_UTF8 = {'x', (byte) 0xff, (byte) 0xfe, ' ', '\n'};

  /** Prints the first argument, as bytes. */
  static final class Echo {
    public static void main(String[] words) throws IOException {
      System.out.write(HostName.encode(ProcessWords.arguments(words).get(0)));
      System.out.flush();
    }
  }

  @Test
  void wordsEndWithNul() {
    byte[] block = "a\0\0b c\0".getBytes(StandardCharsets.UTF_8);

    assertThat(ProcessWords.split(block)).containsExactly("a", "", "b c");
  }

  @Test
  void variablesAreFoundByTheirWholeName() {
    List<String> environment = List.of("AB=1", "A=2=3", "B");

    assertThat(ProcessWords.valueOf(environment, "A")).isEqualTo("2=3");
    assertThat(ProcessWords.valueOf(environment, "B")).isNull();
  }

  @Test
  void argumentsThatAreNoUtf8ArriveAsTheirBytes(@TempDir Path folder) throws Exception {
    Path argument = folder.resolve("argument");
    Files.write(argument, NO_UTF8);
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String script = "exec \"$1\" -cp \"$2\" \"$3\" \"$(cat \"$4\"; printf .)\"";

    Process process =
        new ProcessBuilder(
                "sh",
                "-c",
                script,
                "sh",
                java,
                System.getProperty("java.class.path"),
                Echo.class.getName(),
                argument.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    byte[] echoed = process.getInputStream().readAllBytes();

    assertThat(process.waitFor()).isZero();
    assertThat(HostName.decode(echoed)).isEqualTo(HostName.decode(NO_UTF8) + ".");
  }
}
