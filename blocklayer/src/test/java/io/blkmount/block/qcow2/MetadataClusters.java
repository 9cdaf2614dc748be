// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Layout;
import java.util.HashSet;
import java.util.Set;

/** Finds, by the format's rules, which host clusters hold what; each by the offset of its start. */
final class MetadataClusters {
  private static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

  private MetadataClusters() {}

  static Set<Long> refcountBlocks(PagedBytes image) throws CorruptImageException {
    Qcow2Layout layout = Qcow2Layout.parse(image);
    long bytes = (long) layout.refcountTableClusters() << layout.clusterBits();
    return targets(image, layout.refcountTableOffset(), bytes);
  }

  static Set<Long> l2Tables(PagedBytes image) throws CorruptImageException {
    Qcow2Layout layout = Qcow2Layout.parse(image);
    return targets(image, layout.l1Offset(), layout.l1Size() * 8L);
  }

  /** Returns the clusters of header, tables and refcount blocks. */
  static Set<Long> all(PagedBytes image) throws CorruptImageException {
    Qcow2Layout layout = Qcow2Layout.parse(image);
    Set<Long> all = new HashSet<>(refcountBlocks(image));
    all.addAll(l2Tables(image));
    all.add(0L);
    long tableBytes = (long) layout.refcountTableClusters() << layout.clusterBits();
    addRun(all, layout, layout.refcountTableOffset(), tableBytes);
    addRun(all, layout, layout.l1Offset(), layout.l1Size() * 8L);
    return all;
  }

  private static void addRun(Set<Long> all, Qcow2Layout layout, long offset, long length) {
    for (long at = offset; at < offset + length; at += layout.clusterSize()) {
      all.add(at);
    }
  }

  private static Set<Long> targets(PagedBytes image, long offset, long length) {
    Set<Long> targets = new HashSet<>();
    for (long at = offset; at < offset + length; at += 8) {
      targets.add(image.getLong(at) & OFFSET_MASK);
    }
    targets.remove(0L);
    return targets;
  }
}
