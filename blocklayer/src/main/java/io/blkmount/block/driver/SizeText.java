// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes as qemu-img reads them: a number, a fraction if a suffix follows, K to E for 1024^n. */
public final class SizeText {
  private static final Pattern FORM = Pattern.compile("(\\d+(?:\\.\\d+)?)([bkmgtpe]?)");
  private static final String SUFFIXES = "bkmgtpe";

  private SizeText() {}

  /**
   * Returns the number of bytes that {@code text} says.
   *
   * @param what what it is the size of, for the message
   * @param text such as 512, 64k, 1.5G
   * @throws BlockException if it is not a size or above 2^63 - 1
   */
  public static long parse(String what, String text) throws BlockException {
    Matcher matcher = FORM.matcher(text.toLowerCase(Locale.ROOT));
    if (matcher.matches()) {
      int power = Math.max(0, SUFFIXES.indexOf(matcher.group(2)));
      BigDecimal bytes = new BigDecimal(matcher.group(1)).multiply(unit(power));
      if (bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) <= 0) {
        return bytes.longValue();
      }
    }
    throw new BlockException(BlockError.INVALID, what + ": not a size: " + text);
  }

  private static BigDecimal unit(int power) {
    return BigDecimal.valueOf(1024).pow(power);
  }
}
