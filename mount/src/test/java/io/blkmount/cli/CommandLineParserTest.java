// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class CommandLineParserTest {
  @Test
  void shortOptionsClusterAndTakeAttachedValues() throws CommandFailure {
    CommandLineOptions options = parse("-rUvv", "-fqcow2", "-oro,uid=7", "-o", "gid=8", "a", "m");

    assertThat(options.image.readOnly).isTrue();
    assertThat(options.image.forceShare).isTrue();
    assertThat(options.image.format).isEqualTo("qcow2");
    assertThat(options.server.verbose).hasSize(2);
    assertThat(options.mount.options).containsExactly("ro,uid=7", "gid=8");
    assertThat(options.operands).containsExactly("a", "m");
  }

  @Test
  void longOptionsTakeTheirValueWithAnEqualsSignOrAsTheNextWord() throws CommandFailure {
    assertThat(parse("--cache=none", "a", "m").image.cache).isEqualTo("none");
    assertThat(parse("--cache", "none", "a", "m").image.cache).isEqualTo("none");
  }

  @Test
  void optionsMayFollowOperandsAndTheLastOneCounts() throws CommandFailure {
    assertThat(parse("a", "m", "-f", "raw", "-f", "qcow2").image.format).isEqualTo("qcow2");
  }

  @Test
  void namesAreTakenAsTheyAre() throws CommandFailure {
    CommandLineOptions options = parse("--", "-x.img", "@list", "\"q\"", "${x}", "a b\n", "--help");

    assertThat(options.operands)
        .containsExactly("-x.img", "@list", "\"q\"", "${x}", "a b\n", "--help");
    assertThat(options.other.help).isFalse();
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "--nonsense, --nonsense",
    "-f, --format",
    "--read-only=maybe, maybe",
  })
  void nonsenseIsNamed(String word, String named) {
    CommandFailure failure = catchThrowableOfType(CommandFailure.class, () -> parse(word));

    assertThat(failure.exitCode()).isEqualTo(2);
    assertThat(failure.getMessage()).contains(named).endsWith("see blkmount --help");
  }

  @Test
  void helpNamesEveryOptionInGroups() {
    assertThat(CommandLineParser.help())
        .startsWith("Usage: blkmount [options] IMAGE... MOUNTPOINT\n")
        .contains("blkmount --unmount [--lazy] MOUNTPOINT", "blkmount --demo DIR")
        .contains("\nImage:\n", "\nMount:\n", "\nServer:\n", "\nOther commands:\n")
        .contains("-f, --format=FMT", "-r, --read-only", "--snapshot", "--copy-on-read")
        .contains("--cache=MODE", "--discard=MODE", "--detect-zeroes=MODE", "--resizable")
        .contains("-U, --force-share", "--image-opts", "-o=OPTION,...", "--threads=N")
        .contains("--foreground", "--pid-file=FILE", "--log-file=FILE", "-v", "--lazy")
        .contains("-V, --version", "-h, --help", "Examples:", "Exit codes:");
    assertThat(CommandLineParser.help().lines()).allMatch(line -> line.length() <= 80);
  }

  private static CommandLineOptions parse(String... words) throws CommandFailure {
    return CommandLineParser.parse(List.of(words));
  }
}
