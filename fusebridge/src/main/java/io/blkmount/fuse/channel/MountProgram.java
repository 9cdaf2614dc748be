// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import com.kenai.jffi.Library;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.Errnos;
import io.blkmount.fuse.HostCalls;
import io.blkmount.fuse.NativeStrings;
import java.io.ByteArrayOutputStream;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;
import jnr.ffi.LastError;
import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/**
 * A run of fusermount3. What it has to say and the descriptor of the mount come over one socket,
 * which is its standard error too.
 *
 * <p>It is started past {@link ProcessBuilder}, which would close the socket in the new process.
 */
final class MountProgram implements AutoCloseable {
  private static final FusermountLibrary.Calls LIBRARY = FusermountLibrary.CALLS;
  private static final Runtime RUNTIME = Runtime.getRuntime(LIBRARY);

  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM = 1;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;

  private static final int STANDARD_ERROR = 2;

  /** The number of the socket in the program; nothing else is open there but the standard three. */
  private static final int ITS_SOCKET = 3;

  /** More than {@code posix_spawn_file_actions_t} takes in any C library. */
  private static final int FILE_ACTIONS_SIZE = 256;

  private final int pid;
  private final int socket;
  private final ByteArrayOutputStream said = new ByteArrayOutputStream();
  private boolean ended;
  private int exitCode;

  private MountProgram(int pid, int socket) {
    this.pid = pid;
    this.socket = socket;
  }

  /**
   * Starts a program, looked up in PATH.
   *
   * @param command its name and its arguments
   * @throws BlockException with {@code NOT_FOUND} if there is no such program
   */
  static MountProgram start(List<String> command) throws BlockException {
    Pointer pair = Memory.allocateDirect(RUNTIME, 2 * Integer.BYTES, true);
    if (LIBRARY.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
      throw HostCalls.failure(command.get(0), LastError.getLastError(RUNTIME));
    }
    int ours = pair.getInt(0);
    int theirs = pair.getInt(Integer.BYTES);
    try {
      return new MountProgram(spawn(command, theirs), ours);
    } catch (BlockException e) {
      HostCalls.close(ours);
      throw e;
    } finally {
      HostCalls.close(theirs);
    }
  }

  private static int spawn(List<String> command, int socket) throws BlockException {
    Pointer arguments =
        NativeStrings.vector(RUNTIME, command.stream().map(HostName::encode).toList());
    Pointer environment = NativeStrings.vector(RUNTIME, environment());
    Pointer actions = Memory.allocateDirect(RUNTIME, FILE_ACTIONS_SIZE, true);
    Pointer pid = Memory.allocateDirect(RUNTIME, Integer.BYTES, true);
    LIBRARY.posix_spawn_file_actions_init(actions);
    LIBRARY.posix_spawn_file_actions_adddup2(actions, socket, ITS_SOCKET);
    LIBRARY.posix_spawn_file_actions_adddup2(actions, ITS_SOCKET, STANDARD_ERROR);
    int errno =
        LIBRARY.posix_spawnp(pid, arguments.getPointer(0), actions, null, arguments, environment);
    LIBRARY.posix_spawn_file_actions_destroy(actions);
    Reference.reachabilityFence(arguments);
    if (errno != 0) {
      throw HostCalls.failure(command.get(0), errno);
    }
    return pid.getInt(0);
  }

  /** Returns our environment with the number of the socket in front: the first one counts. */
  private static List<byte[]> environment() {
    List<byte[]> strings = new ArrayList<>();
    strings.add(HostName.encode("_FUSE_COMMFD=" + ITS_SOCKET));
    long address = Library.getDefault().getSymbolAddress("environ");
    Pointer ours = Pointer.wrap(RUNTIME, address).getPointer(0);
    if (ours != null) {
      strings.addAll(NativeStrings.read(ours));
    }
    return strings;
  }

  /**
   * Waits for the descriptor.
   *
   * @return it, or -1 if the program ended without
   */
  int awaitDescriptor() {
    DescriptorMessage message = new DescriptorMessage(RUNTIME);
    int length = receive(message);
    while (length > 0 && !message.hasDescriptor()) {
      said.writeBytes(message.bytes(length));
      message = new DescriptorMessage(RUNTIME);
      length = receive(message);
    }
    return length > 0 ? message.descriptor() : -1;
  }

  /** Returns how many bytes came; 0 or less if no more will. */
  private int receive(DescriptorMessage message) {
    long length;
    do {
      length = LIBRARY.recvmsg(socket, message.memory(), MSG_CMSG_CLOEXEC);
    } while (length < 0 && LastError.getLastError(RUNTIME) == Errnos.INTERRUPTED);
    return Math.toIntExact(length);
  }

  /** Returns the first line of what it said before the descriptor, or an empty string. */
  String firstLine() {
    String text = HostName.decode(said.toByteArray()).strip();
    return HostName.printable(text.lines().findFirst().orElse(""));
  }

  /**
   * Waits for its end.
   *
   * @return its exit code, or -1 if a signal ended it or nobody knows
   */
  int awaitEnd() {
    if (!ended) {
      exitCode = exitCode();
      ended = true;
    }
    return exitCode;
  }

  /** Asks for this process alone: the JVM waits for those that it started itself. */
  private int exitCode() {
    Pointer status = Memory.allocateDirect(RUNTIME, Integer.BYTES, true);
    int answer;
    do {
      answer = LIBRARY.waitpid(pid, status, 0);
    } while (answer < 0 && LastError.getLastError(RUNTIME) == Errnos.INTERRUPTED);
    int value = status.getInt(0);
    boolean exited = answer == pid && (value & 0x7f) == 0;
    return exited ? value >> 8 & 0xff : -1;
  }

  /** Lets go of the program, and waits for its end. */
  @Override
  public void close() {
    HostCalls.close(socket);
    awaitEnd();
  }
}
