// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.growth;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Prints how cost grows beside what it may be. */
public final class GrowthBenchmark {
  private GrowthBenchmark() {}

  /** One group of figures. */
  private interface Group {
    List<Figure> measure() throws IOException;
  }

  /**
   * Measures; exit code 1 if a limit was missed.
   *
   * @param arguments an empty folder for images, and the launcher {@code blkmount}
   * @throws IOException if something cannot be measured
   */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    List<Group> groups =
        List.of(
            new SeekGrowth(folder)::measure,
            new OpenGrowth(folder, Path.of(arguments[1]))::measure,
            new ChainGrowth(folder)::measure);
    System.out.printf("%-66s %10s %10s%n", "", "measured", "limit");
    boolean good = true;
    for (Group group : groups) {
      for (Figure figure : group.measure()) {
        System.out.println(figure.line());
        good &= figure.isWithinLimit();
      }
    }
    System.exit(good ? 0 : 1);
  }
}
