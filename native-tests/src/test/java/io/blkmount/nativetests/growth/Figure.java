// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.growth;

import java.util.Locale;

/**
 * One measured number beside what it may be.
 *
 * @param what was measured
 * @param value in {@code unit}
 * @param limit in {@code unit}; {@link #NO_LIMIT} for a number that is only shown
 * @param unit such as ms
 */
record Figure(String what, double value, double limit, String unit) {
  static final double NO_LIMIT = Double.POSITIVE_INFINITY;

  boolean isWithinLimit() {
    return value <= limit;
  }

  /** Returns one line of a table. */
  String line() {
    String allowed = limit == NO_LIMIT ? "-" : number(limit);
    return "%-66s %10s %10s %-3s%s"
        .formatted(what, number(value), allowed, unit, isWithinLimit() ? "" : "  MISSED");
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%,.0f", value);
  }
}
