// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.fuse.Errnos;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;

/** Serves the request in a worker's memory, from the opcode to the reply. */
final class RequestServer {
  private static final int ENOSYS = 38;

  private final ServedTree served;
  private final FuseRequest request;
  private final FuseReply reply;
  private final FileRequests files;
  private final NameRequests names;

  RequestServer(ServedTree served, OpenFiles openFiles, RequestMemory memory, DevFuse device) {
    this.served = served;
    this.request = new FuseRequest(memory);
    this.reply = new FuseReply(memory, device);
    this.files = new FileRequests(served, openFiles, memory, request, reply);
    this.names = new NameRequests(served, request, reply);
  }

  /** Returns what the request asks for. */
  int opcode() {
    return request.opcode();
  }

  /** Returns how many bytes of data the request that was served moves, or asked for. */
  int transferred() {
    int opcode = request.opcode();
    return opcode == Opcode.READ || opcode == Opcode.WRITE ? request.size() : 0;
  }

  /** Serves. Whatever is thrown becomes an errno: the caller in the kernel waits for an answer. */
  void serve() {
    int opcode = request.opcode();
    reply.begin(request.unique());
    try {
      dispatch(opcode);
    } catch (Throwable failure) {
      reply.error(errno(opcode, failure));
    }
  }

  /** Not even a failure to say what failed may keep the caller waiting. */
  private int errno(int opcode, Throwable failure) {
    try {
      return served.failures().errno(Opcode.name(opcode), failure);
    } catch (Throwable another) {
      return Errnos.IO;
    }
  }

  private void dispatch(int opcode) throws IOException {
    switch (opcode) {
      case Opcode.READ -> files.read();
      case Opcode.WRITE -> files.write();
      case Opcode.FSYNC -> files.sync();
      case Opcode.FLUSH -> files.flush();
      case Opcode.OPEN -> files.open(names.entry());
      case Opcode.RELEASE -> files.release();
      case Opcode.FALLOCATE -> files.allocate();
      case Opcode.LSEEK -> files.seek();
      case Opcode.COPY_FILE_RANGE -> files.copyRange();
      default -> dispatchName(opcode);
    }
  }

  private void dispatchName(int opcode) throws IOException {
    switch (opcode) {
      case Opcode.LOOKUP -> names.lookup();
      case Opcode.GETATTR -> names.attributes();
      case Opcode.SETATTR -> names.setAttributes();
      case Opcode.READDIR -> names.list(false);
      case Opcode.READDIRPLUS -> names.list(true);
      case Opcode.STATFS -> names.usage();
      case Opcode.OPENDIR -> OpenFiles.answerDirectory(reply);
      case Opcode.RELEASEDIR, Opcode.FSYNCDIR, Opcode.DESTROY -> reply.done();
      default -> refuse(opcode);
    }
  }

  private void refuse(int opcode) {
    switch (opcode) {
      // What counts inodes is of no use to a tree that stays, and an interrupted request goes on
      // to its end; for none of these the kernel expects an answer.
      case Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT -> {}
      case Opcode.SYMLINK,
          Opcode.MKNOD,
          Opcode.MKDIR,
          Opcode.UNLINK,
          Opcode.RMDIR,
          Opcode.RENAME,
          Opcode.RENAME2,
          Opcode.LINK,
          Opcode.CREATE,
          Opcode.TMPFILE ->
          reply.error(Errnos.NOT_PERMITTED);
      default -> reply.error(ENOSYS); // the kernel remembers, and does what it can by itself
    }
  }
}
