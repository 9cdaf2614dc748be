// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.fuse.Errnos;
import java.nio.charset.StandardCharsets;

/**
 * A descriptor of {@code /dev/fuse} that belongs to a mount. Reading never blocks; {@link
 * #awaitRequest} does.
 *
 * <p>A reply has to go to the descriptor that its request came from.
 */
final class DevFuse implements AutoCloseable {
  private static final ChannelLibrary.Calls CALLS = ChannelLibrary.CALLS;

  private static final long FUSE_DEV_IOC_CLONE = 0x8004e500L;
  private static final byte[] NAME = "/dev/fuse\0".getBytes(StandardCharsets.US_ASCII);

  private final int descriptor;
  private final boolean shared;

  private DevFuse(int descriptor, boolean shared) {
    this.descriptor = descriptor;
    this.shared = shared;
  }

  /** Takes over the descriptor that a mount was made with. */
  static DevFuse of(int descriptor) {
    int flags = CALLS.fcntl(descriptor, ChannelLibrary.F_GETFL, 0);
    int unused = CALLS.fcntl(descriptor, ChannelLibrary.F_SETFL, flags | ChannelLibrary.O_NONBLOCK);
    return new DevFuse(descriptor, false);
  }

  /**
   * Returns a descriptor of its own for a worker: the kernel then keeps its requests apart from
   * those of others. Where the device cannot be opened again, as for ordinary users, it is the same
   * one, which works as well, only slower.
   *
   * @param memory for the arguments of the calls
   */
  DevFuse another(RequestMemory memory) {
    int flags = ChannelLibrary.O_RDWR | ChannelLibrary.O_CLOEXEC | ChannelLibrary.O_NONBLOCK;
    memory.bytes().put(RequestMemory.SCRATCH, NAME);
    int fresh = CALLS.open(memory.address(RequestMemory.SCRATCH), flags);
    if (fresh < 0) {
      return new DevFuse(descriptor, true);
    }
    memory.bytes().putInt(RequestMemory.SCRATCH, descriptor);
    long argument = memory.address(RequestMemory.SCRATCH);
    if (CALLS.ioctl(fresh, FUSE_DEV_IOC_CLONE, argument) != 0) {
      int unused = CALLS.close(fresh);
      return new DevFuse(descriptor, true);
    }
    return new DevFuse(fresh, false);
  }

  /** Asks the kernel for something about the mount; returns a result or a negative errno. */
  int control(long command, long argument) {
    int result = CALLS.ioctl(descriptor, command, argument);
    return result < 0 ? -ChannelLibrary.errno() : result;
  }

  /** Takes a request if there is one; returns its length or a negative errno. */
  int receive(RequestMemory memory) {
    long length =
        CALLS.read(descriptor, memory.address(RequestMemory.REQUEST), memory.requestRoom());
    return length < 0 ? -ChannelLibrary.errno() : (int) length;
  }

  /** Sleeps until there may be a request, or the mount has ended. */
  void awaitRequest(RequestMemory memory) {
    int pollfd = RequestMemory.SCRATCH;
    memory.bytes().putInt(pollfd, descriptor).putInt(pollfd + 4, ChannelLibrary.POLLIN);
    int unused = CALLS.poll(memory.address(pollfd), 1, -1); // whatever woke us, a read tells
  }

  /** Sends a reply or a notification; returns 0 or an errno. */
  int send(long address, int length) {
    long sent;
    int errno;
    do {
      sent = CALLS.write(descriptor, address, length);
      errno = sent < 0 ? ChannelLibrary.errno() : 0;
    } while (errno == Errnos.INTERRUPTED);
    return errno;
  }

  @Override
  public void close() {
    if (!shared) {
      int unused = CALLS.close(descriptor); // nothing is buffered that could be lost
    }
  }
}
