// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The command line as it is written; {@link MountRequest} says what it means. */
final class CommandLineOptions {
  private final Map<Option, List<String>> given = new EnumMap<>(Option.class);
  private final List<String> operands = new ArrayList<>();

  /** Takes an option in; its value is of no matter if it takes none. */
  void add(Option option, String value) {
    given.computeIfAbsent(option, first -> new ArrayList<>()).add(value);
  }

  /** Takes in what is no option. */
  void addOperand(String word) {
    operands.add(word);
  }

  boolean has(Option option) {
    return given.containsKey(option);
  }

  /** Returns the value of an option, the last one if it was given several times, or null. */
  @Nullable String value(Option option) {
    List<String> values = values(option);
    return values.isEmpty() ? null : values.get(values.size() - 1);
  }

  /** Returns every value of an option, one for each time it was given. */
  List<String> values(Option option) {
    return given.getOrDefault(option, List.of());
  }

  /** Returns what is no option: images and the mount point. */
  List<String> operands() {
    return List.copyOf(operands);
  }

  /** Returns these options with other operands. */
  CommandLineOptions withOperands(String... words) {
    CommandLineOptions other = new CommandLineOptions();
    other.given.putAll(given);
    other.operands.addAll(List.of(words));
    return other;
  }
}
