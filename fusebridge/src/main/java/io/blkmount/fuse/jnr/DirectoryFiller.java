// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import io.blkmount.block.bytes.HostName;
import io.blkmount.fuse.FileAttributes;
import java.nio.ByteBuffer;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;
import jnr.ffi.Struct;
import jnr.ffi.provider.jffi.ClosureHelper;
import ru.serce.jnrfuse.FuseFillDir;
import ru.serce.jnrfuse.struct.FileStat;

/** Hands the entries of a directory to libfuse, names byte for byte. */
final class DirectoryFiller {
  private final Pointer buffer;
  private final FuseFillDir function;

  DirectoryFiller(Pointer buffer, Pointer function) {
    ClosureHelper closures = ClosureHelper.getInstance();
    this.buffer = buffer;
    this.function =
        closures
            .getNativeConveter(FuseFillDir.class)
            .fromNative(function, closures.getFromNativeContext());
  }

  void add(String name, FileAttributes attributes) {
    FileStat stat = new FileStat(Runtime.getSystemRuntime());
    Attributes.put(attributes, stat);
    // Offset 0: libfuse collects all entries at once, so its answer says nothing about room.
    int unused = function.apply(buffer, terminated(name), Struct.getMemory(stat), 0);
  }

  private static ByteBuffer terminated(String name) {
    byte[] bytes = HostName.encode(name);
    return ByteBuffer.allocateDirect(bytes.length + 1).put(bytes).put((byte) 0).flip();
  }
}
