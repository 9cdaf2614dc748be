// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.math.BigInteger;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The ids of internal snapshots, which are texts: a new one is the largest number plus one. */
final class SnapshotIds {
  /** What {@code strtoul()} sees of a text. */
  private static final Pattern NUMBER = Pattern.compile("\\s*\\+?(\\d+)");

  private SnapshotIds() {}

  /** Returns an id that none of the snapshots has; 1 if there are none. */
  static String next(List<SnapshotRecord> snapshots) {
    BigInteger largest = BigInteger.ZERO;
    for (SnapshotRecord snapshot : snapshots) {
      Matcher matcher = NUMBER.matcher(snapshot.id());
      if (matcher.lookingAt()) {
        largest = largest.max(new BigInteger(matcher.group(1)));
      }
    }
    return largest.add(BigInteger.ONE).toString();
  }
}
