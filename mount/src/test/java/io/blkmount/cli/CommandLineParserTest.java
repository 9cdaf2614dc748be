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

    assertThat(options.has(Option.READ_ONLY)).isTrue();
    assertThat(options.has(Option.FORCE_SHARE)).isTrue();
    assertThat(options.value(Option.FORMAT)).isEqualTo("qcow2");
    assertThat(options.values(Option.VERBOSE)).hasSize(2);
    assertThat(options.values(Option.MOUNT_OPTIONS)).containsExactly("ro,uid=7", "gid=8");
    assertThat(options.operands()).containsExactly("a", "m");
  }

  @Test
  void longOptionsTakeTheirValueWithAnEqualsSignOrAsTheNextWord() throws CommandFailure {
    assertThat(parse("--cache=none", "a", "m").value(Option.CACHE)).isEqualTo("none");
    assertThat(parse("--cache", "none", "a", "m").value(Option.CACHE)).isEqualTo("none");
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({"-o ro, ro", "-oro, ro", "-o=ro, ro", "-ro ro, ro", "-ouid=1, uid=1"})
  void aShortOptionTakesTheRestOfItsWordOrTheNextOne(String line, String value)
      throws CommandFailure {
    assertThat(parse(line.split(" ")).values(Option.MOUNT_OPTIONS)).containsExactly(value);
  }

  @Test
  void optionsMayFollowOperandsAndTheLastOneCounts() throws CommandFailure {
    assertThat(parse("a", "m", "-f", "raw", "-f", "qcow2").value(Option.FORMAT)).isEqualTo("qcow2");
  }

  @Test
  void optionsMayStandBetweenOperands() throws CommandFailure {
    assertThat(parse("a", "-r", "b", "--cache", "none", "m", "-v").operands())
        .containsExactly("a", "b", "m");
  }

  @Test
  void aFlagMayBeTakenBack() throws CommandFailure {
    assertThat(parse("--snapshot=true").has(Option.SNAPSHOT)).isTrue();
    assertThat(parse("--snapshot", "--snapshot=false").has(Option.SNAPSHOT)).isFalse();
  }

  @Test
  void namesAreTakenAsTheyAre() throws CommandFailure {
    CommandLineOptions options = parse("--", "-x.img", "@list", "\"q\"", "${x}", "a b\n", "--help");

    assertThat(options.operands())
        .containsExactly("-x.img", "@list", "\"q\"", "${x}", "a b\n", "--help");
    assertThat(options.has(Option.HELP)).isFalse();
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "--nonsense, --nonsense",
    "-f, --format",
    "--read-only=maybe, maybe",
    "-rx, -x",
    "--format, FMT",
    "--form=raw, --form",
  })
  void nonsenseIsNamed(String word, String named) {
    CommandFailure failure = catchThrowableOfType(CommandFailure.class, () -> parse(word));

    assertThat(failure.exitCode()).isEqualTo(2);
    assertThat(failure.getMessage()).contains(named).endsWith("see blkmount --help");
  }

  @Test
  void aVariableThatIsNotSetIsNoName() {
    assertThat(catchThrowableOfType(CommandFailure.class, () -> parse("a", "")))
        .hasMessageStartingWith("the name of an image or of a mount point is empty");
  }

  @Test
  void helpNamesEveryOptionInGroups() {
    assertThat(CommandLineHelp.text())
        .startsWith("Usage: blkmount [options] IMAGE... MOUNTPOINT\n")
        .contains("blkmount --unmount [--lazy] MOUNTPOINT", "blkmount --demo DIR")
        .contains("\nImage:\n", "\nMount:\n", "\nServer:\n", "\nOther commands:\n")
        .contains("-f, --format=FMT", "-r, --read-only", "--snapshot", "--copy-on-read")
        .contains("--cache=MODE", "--discard=MODE", "--detect-zeroes=MODE", "--resizable")
        .contains("-U, --force-share", "--image-opts", "-o=OPTION,...", "--threads=N")
        .contains("--foreground", "--pid-file=FILE", "--log-file=FILE", "-v", "--lazy")
        .contains("-V, --version", "-h, --help", "Examples:", "Exit codes:");
    assertThat(CommandLineHelp.text().lines()).allMatch(line -> line.length() <= 80);
  }

  private static CommandLineOptions parse(String... words) throws CommandFailure {
    return CommandLineParser.parse(List.of(words));
  }
}
