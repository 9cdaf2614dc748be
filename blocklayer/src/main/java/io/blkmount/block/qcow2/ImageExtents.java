// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.Extent;
import java.io.IOException;

/** What is known of a run of the disk without reading it. */
final class ImageExtents {
  private final ClusterLookup lookup;
  private final GuestData data;

  ImageExtents(ClusterLookup lookup, GuestData data) {
    this.lookup = lookup;
    this.data = data;
  }

  /**
   * Finds the holes of an external data file, too, all of which may be mapped. What is encrypted is
   * nowhere stored as it is, and its holes are no zeros.
   */
  Extent find(long offset, long maxLength) throws IOException {
    Extent mapped = lookup.find(offset, maxLength).toExtent();
    if (data.isEncrypted()) {
      return mapped.withoutHostOffset();
    }
    return data.isExternal() && mapped.kind() == Extent.Kind.DATA ? stored(mapped) : mapped;
  }

  private Extent stored(Extent mapped) throws IOException {
    ChildOpener.Child file = data.file();
    if (mapped.hostOffset() >= file.length()) {
      return Extent.zero(mapped.offset(), mapped.length());
    }
    Extent stored = file.extentAt(mapped.hostOffset(), mapped.length());
    return stored.readsAsZero()
        ? Extent.zero(mapped.offset(), stored.length())
        : mapped.limitedTo(stored.length());
  }
}
