// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.bytes.HostName;
import io.blkmount.fuse.ExportTree;
import io.blkmount.fuse.FileAttributes;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Lists the root directory, as many entries as fit.
 *
 * <pre>
 *   fuse_direntplus   0  fuse_entry_out, in readdirplus only
 *   fuse_dirent       0  8 inode    8  8 where to go on    16  4 name length    20  4 type
 *                    24  name, filled up to a multiple of 8
 * </pre>
 */
final class DirectoryListing {
  private static final int HEADER = 24;

  private final ServedTree served;
  private final FuseReply reply;
  private final boolean withAttributes;
  private int used;

  DirectoryListing(ServedTree served, FuseReply reply, boolean withAttributes) {
    this.served = served;
    this.reply = reply;
    this.withAttributes = withAttributes;
  }

  /**
   * Answers with the entries from {@code position} on.
   *
   * @param position 0, or what an entry said where to go on
   * @param room in bytes
   */
  void answer(long position, int room) throws IOException {
    List<ExportTree.Entry> entries = entries();
    int most = Math.min(room, RequestMemory.MAX_TRANSFER);
    for (long i = position; i >= 0 && i < entries.size(); i++) {
      ExportTree.Entry entry = entries.get((int) i);
      byte[] name = HostName.encode(entry.name());
      if (used + length(name) > most) {
        break;
      }
      put(entry, name, i + 1);
    }
    reply.data(used);
  }

  private List<ExportTree.Entry> entries() {
    ExportTree tree = served.tree();
    List<ExportTree.Entry> entries = new ArrayList<>();
    entries.add(new ExportTree.Entry(ExportTree.ROOT_INODE, ".", null));
    entries.add(new ExportTree.Entry(ExportTree.ROOT_INODE, "..", null));
    entries.addAll(tree.files());
    return entries;
  }

  private int length(byte[] name) {
    int padded = (HEADER + name.length + 7) & -8;
    return withAttributes ? AttributeLayout.ENTRY + padded : padded;
  }

  private void put(ExportTree.Entry entry, byte[] name, long next) throws IOException {
    FileAttributes attributes = served.attributes(entry);
    int length = length(name);
    clear(length);
    int at = used;
    if (withAttributes) {
      // The kernel knows the directory already: no attributes for "." and "..".
      if (entry.export() != null) {
        AttributeLayout.putEntry(attributes, reply, at);
      }
      at += AttributeLayout.ENTRY;
    }
    reply
        .putLong(at, entry.inode())
        .putLong(at + 8, next)
        .putInt(at + 16, name.length)
        .putInt(at + 20, attributes.mode() >> 12)
        .putBytes(at + HEADER, name);
    used += length;
  }

  private void clear(int length) {
    for (int i = 0; i < length; i += Long.BYTES) {
      reply.putLong(used + i, 0);
    }
  }
}
