// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.Export;
import io.blkmount.fuse.ExportTree;
import io.blkmount.fuse.OpenExports;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;

/** Requests on open files: converts and delegates. */
final class FileRequests {
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;

  /** fuse_write_out and fuse_lseek_out. */
  private static final int BODY = 8;

  private final ServedTree served;
  private final OpenFiles openFiles;
  private final RequestMemory memory;
  private final FuseRequest request;
  private final FuseReply reply;

  FileRequests(
      ServedTree served,
      OpenFiles openFiles,
      RequestMemory memory,
      FuseRequest request,
      FuseReply reply) {
    this.served = served;
    this.openFiles = openFiles;
    this.memory = memory;
    this.request = request;
    this.reply = reply;
  }

  void open(ExportTree.Entry entry) throws IOException {
    OpenFlags flags = new OpenFlags(request.openFlags());
    long handle = served.handles().open(entry, flags.bits());
    if (!openFiles.answer(reply, entry, handle, flags)) {
      close(entry, handle); // whoever opened it is gone, and sends no release
    }
  }

  void release() throws IOException {
    long handle = request.handle();
    close(served.handles().entry(handle), handle);
    reply.done();
  }

  private void close(ExportTree.Entry entry, long handle) {
    served.handles().release(handle);
    openFiles.closed(entry);
  }

  void read() throws IOException {
    int size = requireTransfer(request.size());
    reply.data(export().read(request.offset(), memory.data(size)));
  }

  void write() throws IOException {
    int size = requireTransfer(request.size());
    boolean durable = request.writesDurably();
    Export export = export();
    int count = export.write(request.offset(), memory.data(size));
    if (durable) {
      export.flush(); // past the page cache the kernel does not ask for it
    }
    reply.putInt(0, count).putInt(4, 0).data(BODY);
  }

  void flush() throws IOException {
    export().writeBack();
    reply.done();
  }

  void sync() throws IOException {
    export().flush();
    reply.done();
  }

  void allocate() throws IOException {
    export().allocate(request.allocationMode(), request.offset(), request.allocationLength());
    reply.done();
  }

  void seek() throws IOException {
    long offset = request.offset();
    long found =
        switch (request.whence()) {
          case SEEK_DATA -> export().seekData(offset);
          case SEEK_HOLE -> export().seekHole(offset);
          default -> throw new BlockException(BlockError.INVALID, "seek with " + request.whence());
        };
    reply.putLong(0, found).data(BODY);
  }

  void copyRange() throws IOException {
    OpenExports handles = served.handles();
    Export target = handles.export(request.targetHandle());
    long copied =
        export()
            .copyTo(
                request.offset(),
                target,
                request.targetOffset(),
                request.copyLength(),
                memory.data(RequestMemory.MAX_TRANSFER));
    reply.putInt(0, (int) copied).putInt(4, 0).data(BODY);
  }

  private Export export() throws BlockException {
    return served.handles().export(request.handle());
  }

  private static int requireTransfer(int size) throws BlockException {
    if (size < 0 || size > RequestMemory.MAX_TRANSFER) {
      throw new BlockException(BlockError.INVALID, "transfer of " + size + " bytes");
    }
    return size;
  }
}
