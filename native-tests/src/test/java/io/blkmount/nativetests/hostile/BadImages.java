// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.hostile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Prints one line for each image; exit code 1 if one of them did what it must not. */
public final class BadImages {
  private BadImages() {}

  /**
   * Runs all images.
   *
   * @param arguments a file of lines with the name of an image, a blank and what is wanted; the
   *     first image works, and warms up
   * @throws IOException if something cannot be measured
   */
  public static void main(String[] arguments) throws IOException {
    Path list = Path.of(arguments[0]);
    boolean good = true;
    boolean warm = false;
    for (String line : Files.readAllLines(list)) {
      String[] words = line.split(" ");
      BadImage image =
          new BadImage(list.resolveSibling(words[0]).toAbsolutePath(), Want.valueOf(words[1]));
      String result = image.judge();
      good &= result.startsWith("ok") || !warm;
      System.out.print(warm ? result + "\n" : "");
      warm = true;
    }
    System.exit(good ? 0 : 1);
  }
}
