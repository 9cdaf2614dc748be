// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.Errnos;
import io.blkmount.fuse.Export;
import io.blkmount.fuse.ExportTree;
import io.blkmount.fuse.FileSystemUsage;
import io.blkmount.fuse.OpenExports;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;
import java.nio.ByteBuffer;
import jnr.ffi.Pointer;
import jnr.ffi.Struct;
import ru.serce.jnrfuse.FuseStubFS;
import ru.serce.jnrfuse.struct.FileStat;
import ru.serce.jnrfuse.struct.FuseFileInfo;
import ru.serce.jnrfuse.struct.Statvfs;

/**
 * The upcalls of libfuse's high level: each converts, delegates and answers a count or a negative
 * errno. Nothing thrown leaves an upcall: jffi would turn it into 0, which means success.
 *
 * <p>Upcalls on handles come without a path; the few with one are {@link NameUpcalls}, since
 * jnr-fuse would decode names with a charset that loses bytes.
 */
final class JnrFuseAdapter extends FuseStubFS {
  private final ServedTree served;
  private final NameUpcalls.Slots names;

  JnrFuseAdapter(ServedTree served) {
    this.served = served;
    this.names = new NameUpcalls.Slots(this);
    names.installInto(fuseOperations);
  }

  /** Returns libfuse's table of upcalls. */
  Pointer operations() {
    return Struct.getMemory(fuseOperations);
  }

  long operationsSize() {
    return Struct.size(fuseOperations);
  }

  /** Does nothing: jnr-fuse's own would detach lazily and not wait. */
  @Override
  public void umount() {}

  /** What an upcall does between the conversion and the answer. */
  private interface Request {
    int answer() throws IOException;
  }

  private int serve(String name, Request request) {
    try {
      return request.answer();
    } catch (Throwable failure) {
      return -served.failures().errno(name, failure);
    }
  }

  int attributes(Pointer path, Pointer target) {
    return serve(
        "getattr",
        () -> {
          Attributes.put(served.attributes(entry(path)), FileStat.of(target));
          return 0;
        });
  }

  int openFile(Pointer path, Pointer info) {
    return serve(
        "open",
        () -> {
          FuseFileInfo fileInfo = FuseFileInfo.of(info);
          fileInfo.fh.set(served.handles().open(entry(path), fileInfo.flags.get()));
          return 0;
        });
  }

  int truncateFile(Pointer path, long length) {
    return serve(
        "truncate",
        () -> {
          OpenExports.exportOf(entry(path)).setLength(length);
          return 0;
        });
  }

  int listDirectory(DirectoryFiller filler) {
    return serve(
        "readdir",
        () -> {
          filler.add(".", served.attributes(served.tree().root()));
          filler.add("..", served.attributes(served.tree().root()));
          for (ExportTree.Entry entry : served.tree().files()) {
            filler.add(entry.name(), served.attributes(entry));
          }
          return 0;
        });
  }

  @Override
  public int fgetattr(String path, FileStat target, FuseFileInfo info) {
    return serve(
        "getattr",
        () -> {
          ExportTree.Entry entry = served.handles().entry(info.fh.get());
          Attributes.put(served.attributes(entry), target);
          return 0;
        });
  }

  @Override
  public int read(String path, Pointer buffer, long size, long offset, FuseFileInfo info) {
    return serve("read", () -> export(info).read(offset, NativeBuffers.over(buffer, size)));
  }

  @Override
  public int write(String path, Pointer buffer, long size, long offset, FuseFileInfo info) {
    return serve(
        "write",
        () -> {
          ByteBuffer source = NativeBuffers.over(buffer, size);
          return export(info).write(offset, source);
        });
  }

  @Override
  public int ftruncate(String path, long length, FuseFileInfo info) {
    return serve(
        "truncate",
        () -> {
          export(info).setLength(length);
          return 0;
        });
  }

  @Override
  public int fallocate(String path, int mode, long offset, long length, FuseFileInfo info) {
    return serve(
        "fallocate",
        () -> {
          export(info).allocate(mode, offset, length);
          return 0;
        });
  }

  @Override
  public int fsync(String path, int dataOnly, FuseFileInfo info) {
    return serve(
        "fsync",
        () -> {
          export(info).flush();
          return 0;
        });
  }

  @Override
  public int flush(String path, FuseFileInfo info) {
    return serve(
        "close",
        () -> {
          export(info).writeBack();
          return 0;
        });
  }

  @Override
  public int release(String path, FuseFileInfo info) {
    return serve(
        "release",
        () -> {
          served.handles().release(info.fh.get());
          return 0;
        });
  }

  @Override
  public int statfs(String path, Statvfs target) {
    return serve(
        "statfs",
        () -> {
          Attributes.put(FileSystemUsage.of(served.tree()), target);
          return 0;
        });
  }

  /** Answers whatever would make, remove, rename or re-own something. */
  int refuse() {
    return -Errnos.NOT_PERMITTED;
  }

  private Export export(FuseFileInfo info) throws IOException {
    return served.handles().export(info.fh.get());
  }

  /** Returns what a path leads to: the root, or a file in it. */
  private ExportTree.Entry entry(Pointer path) throws IOException {
    byte[] bytes = new byte[path.indexOf(0, (byte) 0)];
    path.get(0, bytes, 0, bytes.length);
    if (bytes.length == 1) {
      return served.tree().root();
    }
    String name = HostName.decode(bytes).substring(1);
    ExportTree.Entry entry = served.tree().lookup(name);
    if (entry == null) {
      throw new BlockException(
          BlockError.NOT_FOUND, "no file \"" + HostName.printable(name) + "\"");
    }
    return entry;
  }
}
