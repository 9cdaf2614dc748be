// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.bytes.HostName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The words that this process was started with, as bytes.
 *
 * <p>The JVM decodes its arguments in the locale's charset and replaces what does not fit, so a
 * name that is no UTF-8 would come out as another name. The kernel still has the bytes.
 */
final class ProcessWords {
  private static final Path ARGUMENTS = Path.of("/proc/self/cmdline");
  private static final Path ENVIRONMENT = Path.of("/proc/self/environ");

  private ProcessWords() {}

  /**
   * Returns the arguments of {@code main}, decoded by {@link HostName}.
   *
   * @param decodedByTheJvm used for their count, and as they are where there is no /proc
   */
  static List<String> arguments(String[] decodedByTheJvm) {
    try {
      List<String> words = split(Files.readAllBytes(ARGUMENTS));
      return List.copyOf(words.subList(words.size() - decodedByTheJvm.length, words.size()));
    } catch (IOException noProc) {
      return List.of(decodedByTheJvm);
    }
  }

  /** Returns the value of an environment variable, or null. */
  static @Nullable String variable(String name) {
    try {
      return valueOf(split(Files.readAllBytes(ENVIRONMENT)), name);
    } catch (IOException noProc) {
      return System.getenv(name);
    }
  }

  static @Nullable String valueOf(List<String> environment, String name) {
    for (String word : environment) {
      if (word.startsWith(name + "=")) {
        return word.substring(name.length() + 1);
      }
    }
    return null;
  }

  /** Returns the words of a block in which each word ends with a NUL. */
  static List<String> split(byte[] block) {
    List<String> words = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < block.length; i++) {
      if (block[i] == 0) {
        words.add(HostName.decode(Arrays.copyOfRange(block, start, i)));
        start = i + 1;
      }
    }
    return words;
  }
}
