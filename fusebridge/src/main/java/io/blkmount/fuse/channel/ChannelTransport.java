// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.HostCalls;
import io.blkmount.fuse.MountOptions;
import io.blkmount.fuse.ServedTree;
import io.blkmount.fuse.ServingOptions.Passthrough;
import io.blkmount.fuse.Transport;
import io.blkmount.fuse.Unmounting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import jnr.ffi.Platform;

/** Speaks to the kernel of Linux directly; needs no library. */
public final class ChannelTransport implements Transport {
  private static final Path DEVICE = Path.of("/dev/fuse");

  /** Creates the transport; loads nothing yet. */
  public ChannelTransport() {}

  @Override
  public String name() {
    return "channel";
  }

  @Override
  public boolean worksHere() {
    Platform platform = Platform.getNativePlatform();
    return platform.getOS() == Platform.OS.LINUX && platform.is64Bit() && Files.exists(DEVICE);
  }

  @Override
  public Session mount(String mountPoint, ServedTree served) throws IOException {
    RequestMemory memory = RequestMemory.allocate();
    try {
      DevFuse device = DevFuse.of(descriptor(mountPoint, served));
      return serve(device, memory, mountPoint, served);
    } catch (IOException | RuntimeException | Error e) {
      memory.close();
      throw e;
    }
  }

  private static Session serve(
      DevFuse device, RequestMemory memory, String mountPoint, ServedTree served)
      throws IOException {
    try {
      boolean passthrough = served.options().serving().passthrough() != Passthrough.OFF;
      long agreed = InitHandshake.perform(device, memory, passthrough);
      ChannelSession session = new ChannelSession(device, memory, served, agreed);
      session.start();
      return session;
    } catch (BlockException e) {
      BlockException failure = KernelMount.refused(e.error(), mountPoint, e.getMessage());
      abandon(device, mountPoint, failure);
      throw failure;
    } catch (RuntimeException | Error e) {
      abandon(device, mountPoint, e);
      throw e;
    }
  }

  private static int descriptor(String mountPoint, ServedTree served) throws IOException {
    MountOptions options = served.options();
    return HostCalls.isRoot()
        ? KernelMount.mount(mountPoint, served.tree().isDirectory(), options)
        : Fusermount.mount(mountPoint, options);
  }

  /** Takes away a mount that nobody will serve. */
  private static void abandon(DevFuse device, String mountPoint, Throwable reason) {
    device.close();
    try {
      Unmounting.detach(mountPoint);
    } catch (IOException e) {
      reason.addSuppressed(e);
    }
  }
}
