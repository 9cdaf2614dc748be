// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.blkmount.fuse.HostCalls;
import io.blkmount.fuse.MountTable;
import io.blkmount.fuse.Unmounting;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;
import jnr.ffi.types.size_t;
import org.jspecify.annotations.Nullable;

/** A mount that nobody serves yet; it is taken away at the end. */
final class FreshMount implements AutoCloseable {
  private static final int LARGEST_REQUEST = 2 << 20;
  private static final int OPCODE = 4;
  private static final int F_GETFD = 1;

  private static final Calls CALLS = LibraryLoader.create(Calls.class).load("c");

  private final String mountPoint;
  private final int device;

  FreshMount(String mountPoint, int device) {
    this.mountPoint = mountPoint;
    this.device = device;
  }

  /** Public for jnr-ffi, which implements it. */
  public interface Calls {
    long read(int descriptor, Pointer buffer, @size_t long count);

    int fcntl(int descriptor, int command, int argument);
  }

  /** Skips the test where this process cannot mount. */
  static void assumePossible() {
    assumeTrue(HostCalls.isRoot() && Files.isWritable(Path.of("/dev/fuse")), "needs root");
  }

  static MountTable.@Nullable Mount shown(String mountPoint) throws IOException {
    return MountTable.read().at(mountPoint);
  }

  /** Returns the opcode of the first request. */
  int firstOpcode() {
    Pointer buffer = Memory.allocateDirect(Runtime.getRuntime(CALLS), LARGEST_REQUEST);
    long length = CALLS.read(device, buffer, LARGEST_REQUEST);
    assertThat(length).as("length of a request").isGreaterThan(OPCODE + 4);
    return buffer.getInt(OPCODE);
  }

  boolean isClosedOnExec() {
    return CALLS.fcntl(device, F_GETFD, 0) == 1;
  }

  /** Returns how many descriptors of this process lead to the device or to a nameless socket. */
  static long openDescriptors() {
    long count = 0;
    try (DirectoryStream<Path> links = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path link : links) {
        count += isOfMounting(link) ? 1 : 0;
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return count;
  }

  private static boolean isOfMounting(Path link) {
    try {
      String target = Files.readSymbolicLink(link).toString();
      return target.equals("/dev/fuse") || target.startsWith("socket:");
    } catch (IOException closedMeanwhile) {
      return false;
    }
  }

  @Override
  public void close() throws IOException {
    HostCalls.close(device);
    Unmounting.unmount(mountPoint);
  }
}
