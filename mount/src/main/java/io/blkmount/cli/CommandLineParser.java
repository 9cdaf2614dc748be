// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads words as getopt_long(3) does: {@code -rv}, {@code -f raw}, {@code -fraw}, {@code --format
 * raw}, {@code --format=raw}, options before and after operands, and nothing but operands after
 * {@code --}. Written by hand because every mount waits for it: a library that does it by
 * reflection took as long as a whole JVM takes to start.
 */
final class CommandLineParser {
  private final CommandLineOptions options = new CommandLineOptions();
  private final Iterator<String> words;

  private CommandLineParser(List<String> words) {
    this.words = words.iterator();
  }

  /**
   * Returns what the words say.
   *
   * @throws CommandFailure with exit code 2 if they say nothing that exists
   */
  static CommandLineOptions parse(List<String> words) throws CommandFailure {
    CommandLineParser parser = new CommandLineParser(words);
    parser.read();
    return parser.options;
  }

  private void read() throws CommandFailure {
    while (words.hasNext()) {
      String word = words.next();
      if (word.equals("--")) {
        words.forEachRemaining(options::addOperand);
      } else if (word.startsWith("--")) {
        readLong(word);
      } else if (word.startsWith("-") && word.length() > 1) {
        readCluster(word);
      } else {
        options.addOperand(word);
      }
    }
  }

  private void readLong(String word) throws CommandFailure {
    int equals = word.indexOf('=');
    Option option = known(equals < 0 ? word : word.substring(0, equals));
    if (option.takesValue()) {
      options.add(option, equals < 0 ? nextWord(option) : word.substring(equals + 1));
    } else if (equals < 0) {
      options.add(option, "");
    } else {
      throw CommandFailure.usage("option \"" + word + "\": " + option + " takes no value");
    }
  }

  /** Reads several short options in one word; the rest behind one with a value is its value. */
  private void readCluster(String word) throws CommandFailure {
    for (int i = 1; i < word.length(); i++) {
      Option option = known("-" + word.charAt(i));
      if (option.takesValue()) {
        String rest = word.substring(i + 1);
        options.add(option, rest.isEmpty() ? nextWord(option) : withoutEquals(rest));
        return;
      }
      options.add(option, "");
    }
  }

  private static String withoutEquals(String value) {
    return value.startsWith("=") ? value.substring(1) : value;
  }

  private String nextWord(Option option) throws CommandFailure {
    if (!words.hasNext()) {
      throw CommandFailure.usage("option \"" + option + "\" needs a value: " + option.form());
    }
    return words.next();
  }

  private static Option known(String name) throws CommandFailure {
    @Nullable Option option = Option.named(name);
    if (option == null) {
      throw CommandFailure.usage("unknown option \"" + name + "\"");
    }
    return option;
  }
}
