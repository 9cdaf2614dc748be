// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.ExportTree;
import io.blkmount.fuse.FileSystemUsage;
import io.blkmount.fuse.OpenExports;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;

/** Requests about names and attributes: converts and delegates. */
final class NameRequests {
  private final ServedTree served;
  private final FuseRequest request;
  private final FuseReply reply;

  NameRequests(ServedTree served, FuseRequest request, FuseReply reply) {
    this.served = served;
    this.request = request;
    this.reply = reply;
  }

  void lookup() throws IOException {
    String name = request.name();
    ExportTree.Entry entry = served.tree().lookup(name);
    if (entry == null) {
      throw new BlockException(
          BlockError.NOT_FOUND, "no file \"" + HostName.printable(name) + "\"");
    }
    AttributeLayout.replyEntry(served.attributes(entry), reply);
  }

  void attributes() throws IOException {
    ExportTree.Entry entry =
        request.asksAttributesOfHandle()
            ? served.handles().entry(request.attributeHandle())
            : entry();
    AttributeLayout.reply(served.attributes(entry), reply);
  }

  /** Changes the size; mode, owner and times are what the mount says. */
  void setAttributes() throws IOException {
    ExportTree.Entry entry =
        request.changesByHandle() ? served.handles().entry(request.attributeHandle()) : entry();
    boolean changesSize = request.changesSize();
    if (request.changesModeOrOwner() || (request.changesTimes() && !changesSize)) {
      throw new BlockException(BlockError.NOT_PERMITTED, "modes, owners and times are fixed");
    }
    if (changesSize) {
      OpenExports.exportOf(entry).setLength(request.newSize());
    }
    AttributeLayout.reply(served.attributes(entry), reply);
  }

  void list(boolean withAttributes) throws IOException {
    new DirectoryListing(served, reply, withAttributes).answer(request.offset(), request.size());
  }

  void usage() throws IOException {
    AttributeLayout.reply(FileSystemUsage.of(served.tree()), reply);
  }

  /** Returns what the request's inode stands for. */
  ExportTree.Entry entry() throws BlockException {
    ExportTree.Entry entry = served.tree().entry(request.inode());
    if (entry == null) {
      throw new BlockException(BlockError.STALE, "inode " + request.inode() + " is not there");
    }
    return entry;
  }
}
