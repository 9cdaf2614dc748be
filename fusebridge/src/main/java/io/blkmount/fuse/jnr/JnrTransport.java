// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.ServedTree;
import io.blkmount.fuse.Transport;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/** Mounts through libfuse 2. */
public final class JnrTransport implements Transport {
  private static final Path DEVICE = Path.of("/dev/fuse");

  /** Creates the transport; loads nothing yet. */
  public JnrTransport() {}

  @Override
  public String name() {
    return "jnr-fuse";
  }

  @Override
  public boolean worksHere() {
    return true; // the last resort: its own refusal says what is missing
  }

  @Override
  public Session mount(String mountPoint, ServedTree served) throws IOException {
    requireDevice(mountPoint);
    try {
      return mountWith(LibFuse2.CALLS, mountPoint, served);
    } catch (LinkageError e) {
      throw new BlockException(BlockError.NOT_SUPPORTED, notLoaded(e), e);
    }
  }

  private static Session mountWith(LibFuse2.Calls libfuse, String mountPoint, ServedTree served)
      throws IOException {
    JnrFuseAdapter adapter = new JnrFuseAdapter(served);
    Pointer fuse = setUp(libfuse, adapter, new LibfuseArguments(mountPoint, served.options()));
    if (fuse == null) {
      throw refused(BlockError.NOT_PERMITTED, mountPoint, "libfuse was refused");
    }
    LibfuseSession session = new LibfuseSession(libfuse, fuse, adapter, served);
    session.start();
    return session;
  }

  /**
   * Mounts without beginning to serve. libfuse takes the signals that nobody handles, to end a loop
   * that is not running here; they are given back at once, one mount at a time, since it remembers
   * only one.
   */
  private static synchronized Pointer setUp(
      LibFuse2.Calls libfuse, JnrFuseAdapter adapter, LibfuseArguments arguments) {
    Runtime runtime = Runtime.getRuntime(libfuse);
    Pointer mountPoint = Memory.allocateDirect(runtime, runtime.addressSize(), true);
    Pointer vector = arguments.toNative(runtime);
    Pointer multithreaded = Memory.allocateDirect(runtime, Integer.BYTES, true);
    Pointer fuse =
        libfuse.fuse_setup(
            arguments.count(),
            vector,
            adapter.operations(),
            adapter.operationsSize(),
            mountPoint,
            multithreaded,
            null);
    Reference.reachabilityFence(vector);
    Pointer name = mountPoint.getPointer(0);
    if (fuse != null) {
      libfuse.fuse_remove_signal_handlers(libfuse.fuse_get_session(fuse));
      libfuse.free(name);
    }
    return fuse;
  }

  /** Asks first, since libfuse would write its refusal on standard error and leave us none. */
  private static void requireDevice(String mountPoint) throws BlockException {
    if (!Files.exists(DEVICE)) {
      throw refused(BlockError.NOT_FOUND, mountPoint, "no /dev/fuse (kernel module fuse)");
    }
    if (!Files.isWritable(DEVICE)) {
      throw refused(
          BlockError.ACCESS_DENIED,
          mountPoint,
          "no permission to open /dev/fuse (as root: chmod a+rw /dev/fuse)");
    }
  }

  private static BlockException refused(BlockError error, String mountPoint, String why) {
    String name = HostName.printable(mountPoint);
    return new BlockException(error, "cannot mount on \"" + name + "\": " + why);
  }

  /** The first line of the reason is the host's; jnr-ffi adds where it looked. */
  private static String notLoaded(LinkageError failure) {
    String reason = String.valueOf(failure.getMessage()).lines().findFirst().orElse("");
    return "cannot mount: libfuse.so.2 cannot be loaded (on Debian: apt-get install libfuse2): "
        + reason;
  }
}
