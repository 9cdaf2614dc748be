// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.LinkedHashMap;
import java.util.Map;

/** The text form of image options: {@code driver=qcow2,file.filename=a.qcow2}. */
public final class ImageOptions {
  private ImageOptions() {}

  /**
   * Returns the options that {@code text} gives, in its order.
   *
   * @param text {@code key=value} pairs with commas between; a comma in a value is written twice
   * @throws BlockException with {@code INVALID} if a pair has no key or no value, or a key is given
   *     twice
   */
  public static Map<String, String> parse(String text) throws BlockException {
    Map<String, String> options = new LinkedHashMap<>();
    int position = 0;
    while (position < text.length()) {
      StringBuilder pair = new StringBuilder();
      position = nextPair(text, position, pair);
      put(options, pair.toString());
    }
    if (options.isEmpty()) {
      throw new BlockException(BlockError.INVALID, "image options: empty");
    }
    return options;
  }

  /** Copies up to the next single comma; returns where the pair after it starts. */
  private static int nextPair(String text, int start, StringBuilder pair) {
    int i = start;
    while (i < text.length()) {
      char c = text.charAt(i++);
      if (c == ',') {
        if (i == text.length() || text.charAt(i) != ',') {
          return i;
        }
        i++;
      }
      pair.append(c);
    }
    return i;
  }

  private static void put(Map<String, String> options, String pair) throws BlockException {
    int equals = pair.indexOf('=');
    if (equals <= 0) {
      throw new BlockException(
          BlockError.INVALID, "image options: \"" + pair + "\" is not of the form key=value");
    }
    String key = pair.substring(0, equals);
    if (options.put(key, pair.substring(equals + 1)) != null) {
      throw new BlockException(BlockError.INVALID, "image options: " + key + " is given twice");
    }
  }
}
