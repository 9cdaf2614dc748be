// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.fuse.ServedTree;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jnr.ffi.LibraryLoader;
import jnr.ffi.annotations.In;
import jnr.ffi.annotations.Out;
import jnr.ffi.types.size_t;

/**
 * The kernel's side of a mount that is none: a pair of sockets that keep each message whole stands
 * in for {@code /dev/fuse}. What is called is served on the calling thread.
 */
final class FakeKernel implements AutoCloseable {
  /** Far more than any test has answered; a socket takes no larger message anyway. */
  private static final int ROOM = 1 << 19;

  private static final int AF_UNIX = 1;
  private static final int SOCK_SEQPACKET = 5;
  private static final int SOCK_NONBLOCK = 0x800;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SHUT_READ = 0;
  private static final int SOL_SOCKET = 1;
  private static final int SO_SNDBUF = 7;
  private static final int SO_SNDBUFFORCE = 32;
  private static final int ROOM_FOR_ANSWERS = 4 << 20;

  private static final Calls CALLS = LibraryLoader.create(Calls.class).load("c");

  private final int socket;
  private final int serversSocket;
  private final DevFuse device;
  private final RequestMemory memory;
  private long lastUnique = 100;

  /** Public for jnr-ffi, which implements it. */
  public interface Calls {
    int socketpair(int domain, int type, int protocol, @Out int[] sockets);

    long read(int descriptor, @Out byte[] target, @size_t long count);

    long write(int descriptor, @In byte[] source, @size_t long count);

    int setsockopt(int socket, int level, int option, @In int[] value, int length);

    int shutdown(int socket, int how);

    int close(int descriptor);
  }

  /** A server's answer to an open, and what it was opened on. */
  record Handle(long inode, long number, int openFlags, int backing) {}

  FakeKernel() throws IOException {
    int[] sockets = new int[2];
    int type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
    assertThat(CALLS.socketpair(AF_UNIX, type, 0, sockets)).isZero();
    socket = sockets[0];
    serversSocket = sockets[1];
    takeManyAnswers();
    device = DevFuse.of(serversSocket);
    memory = RequestMemory.allocate();
  }

  DevFuse device() {
    return device;
  }

  RequestMemory memory() {
    return memory;
  }

  /** Returns a server of what this kernel asks. */
  RequestServer server(ServedTree served) {
    return server(served, new KernelFiles(device, memory, false));
  }

  RequestServer server(ServedTree served, KernelFiles files) {
    return new RequestServer(served, new OpenFiles(files), memory, device);
  }

  /** Puts a request where the server finds it; returns its number. */
  long send(KernelRequest request) {
    byte[] message = request.encode(++lastUnique);
    assertThat(CALLS.write(socket, message, message.length)).isEqualTo(message.length);
    return lastUnique;
  }

  /** Has a request served that needs no answer, or whose answer is taken later. */
  long tell(RequestServer server, KernelRequest request) {
    long unique = send(request);
    assertThat(device.receive(memory)).isPositive();
    server.serve();
    return unique;
  }

  /** Has a request served; returns the one answer to it. */
  KernelReply call(RequestServer server, KernelRequest request) {
    long unique = tell(server, request);
    KernelReply reply = reply();
    assertThat(reply.unique()).isEqualTo(unique);
    requireSilence();
    return reply;
  }

  Handle open(RequestServer server, long inode, int flags) {
    KernelReply reply = call(server, KernelRequest.open(inode, flags));
    var body = reply.body(16); // struct fuse_open_out
    return new Handle(inode, body.getLong(0), body.getInt(8), body.getInt(12));
  }

  /** Waits for what a thread of the server sends on its own. */
  ByteBuffer awaitMessage() {
    byte[] message = new byte[ROOM];
    long length = CALLS.read(socket, message, ROOM);
    while (length < 0) {
      Thread.onSpinWait();
      length = CALLS.read(socket, message, ROOM);
    }
    return ByteBuffer.wrap(message, 0, (int) length).slice().order(ByteOrder.nativeOrder());
  }

  KernelReply reply() {
    byte[] message = new byte[ROOM];
    long length = CALLS.read(socket, message, ROOM);
    assertThat(length).as("an answer").isPositive();
    return KernelReply.parse(message, (int) length);
  }

  /** Fails if something was said that nobody has asked for. */
  void requireSilence() {
    assertThat(CALLS.read(socket, new byte[1], 1)).as("another answer").isNegative();
  }

  /** Waits for an answer that a thread of the server gives. */
  KernelReply awaitReply() {
    ByteBuffer message = awaitMessage();
    byte[] bytes = new byte[message.remaining()];
    message.get(bytes);
    return KernelReply.parse(bytes, bytes.length);
  }

  /** Lets go of the mount: there are no more requests, and who serves it closes the rest. */
  void end() {
    assertThat(CALLS.close(socket)).isZero();
  }

  /** A kernel has room for all answers at once; root may go past the limit of the system. */
  private void takeManyAnswers() {
    int[] room = {ROOM_FOR_ANSWERS};
    if (CALLS.setsockopt(serversSocket, SOL_SOCKET, SO_SNDBUFFORCE, room, 4) != 0) {
      assertThat(CALLS.setsockopt(serversSocket, SOL_SOCKET, SO_SNDBUF, room, 4)).isZero();
    }
  }

  /** Takes only short answers from now on. */
  void limitAnswers() {
    int result = CALLS.setsockopt(serversSocket, SOL_SOCKET, SO_SNDBUF, new int[] {4096}, 4);
    assertThat(result).isZero();
  }

  /** Takes no answers any more. */
  void hangUp() {
    assertThat(CALLS.shutdown(socket, SHUT_READ)).isZero();
  }

  @Override
  public void close() {
    int unused = CALLS.close(socket);
    device.close();
    memory.close();
  }
}
