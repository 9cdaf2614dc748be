// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.ByteRange;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;

/**
 * Clusters of an external data file that entries have just let go of. Their space is given back at
 * once, under the request that dropped them: they can only ever hold the bytes of one guest offset,
 * which read as zeros from now on, or after a power cut as what was there, unless it is encrypted:
 * see {@link EntryChanges#settleForHoles}. Later would be too late: the guest may have written
 * there again.
 */
final class DataHoles {
  private static final Logger LOG = System.getLogger(DataHoles.class.getName());

  private final GuestData data;
  private final List<ByteRange> ranges = new ArrayList<>();

  DataHoles(GuestData data) {
    this.data = data;
  }

  /** Notes that a cluster was dropped; nothing for data in the image file, which is refcounted. */
  void add(long hostOffset, long length) {
    if (!data.isExternal()) {
      return;
    }
    int last = ranges.size() - 1;
    if (last >= 0 && ranges.get(last).end() == hostOffset) {
      ranges.set(last, ByteRange.between(ranges.get(last).offset(), hostOffset + length));
    } else {
      ranges.add(new ByteRange(hostOffset, length));
    }
  }

  boolean isEmpty() {
    return ranges.isEmpty();
  }

  /** Gives the space back if the file's discard mode says so; a failure costs space, not data. */
  void punch() {
    for (ByteRange range : ranges) {
      try {
        long inside = Math.min(range.end(), data.file().length()) - range.offset();
        if (inside > 0) {
          data.file().discard(range.offset(), inside);
        }
      } catch (IOException e) {
        LOG.log(
            Level.WARNING,
            "{0}: space of dropped clusters not given back: offset {1} length {2}: {3}",
            data.file().name(),
            range.offset(),
            range.length(),
            e.getMessage());
      }
    }
  }
}
