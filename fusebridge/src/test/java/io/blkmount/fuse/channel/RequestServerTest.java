// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.fuse.MemoryDisks;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every request that needs an answer gets one, and no other. */
final class RequestServerTest {
  private static final long FILE = 2;

  private static final int LENGTH = 1 << 20;

  private static final int EPERM = 1;
  private static final int ENOSYS = 38;
  private static final int ESTALE = 116;

  private FakeKernel kernel;
  private BlockBackend disk;
  private RequestServer server;

  @BeforeEach
  void serve() throws IOException {
    kernel = new FakeKernel();
    disk = MemoryDisks.over(MemoryInstance.ofLength(LENGTH));
    server = kernel.server(MemoryDisks.serve(disk));
  }

  @AfterEach
  void close() throws IOException {
    kernel.close();
    disk.close();
  }

  @ParameterizedTest(name = "opcode {0}")
  @CsvSource({"2, 8", "42, 24", "36, 8"}) // forget, batch_forget of one inode, interrupt
  void noAnswerIsGivenToWhatWantsNone(int opcode, int length) {
    long unused = kernel.tell(server, KernelRequest.of(opcode, FILE, length).putLong(0, 1));

    kernel.requireSilence();
    assertThat(kernel.call(server, KernelRequest.attributes(FILE, 0, 0)).errno()).isZero();
  }

  /** The kernel gives these up for the mount, and does without or by itself. */
  @ParameterizedTest(name = "opcode {0}")
  @ValueSource(ints = {5, 21, 22, 23, 24, 31, 32, 33, 34, 37, 39, 40, 48, 50, 52, 999, 0, -1})
  void whatIsNotServedIsNotImplemented(int opcode) {
    kernel.call(server, KernelRequest.of(opcode, FILE, 64)).requireErrno(ENOSYS);
  }

  /** Symlink, mknod, mkdir, unlink, rmdir, rename, link, create, rename2, tmpfile. */
  @ParameterizedTest(name = "opcode {0}")
  @ValueSource(ints = {6, 8, 9, 10, 11, 12, 13, 35, 45, 51})
  void theDirectoryStaysAsItIs(int opcode) {
    kernel.call(server, KernelRequest.of(opcode, 1, 64)).requireErrno(EPERM);
  }

  @Test
  void theEndIsAnswered() {
    kernel.call(server, KernelRequest.of(KernelRequest.DESTROY, 0, 0)).requireDone();
  }

  /** All requests that go by one. */
  @ParameterizedTest(name = "opcode {0}, handle {1}")
  @CsvSource({"15, 0", "16, 1", "18, -1", "20, 77", "25, 4294967297", "43, 8589934592", "46, 2"})
  void handlesThatAreNotOpenAreStale(int opcode, long handle) {
    long open = kernel.open(server, FILE, 2).number();
    assertThat(handle).isNotEqualTo(open);

    kernel
        .call(server, KernelRequest.of(opcode, FILE, 64).putLong(0, handle).putInt(16, 3))
        .requireErrno(ESTALE);
  }

  /** What the kernel does not take must not leave its caller waiting for ever. */
  @Test
  void refusedReplyBecomesAnError() throws IOException {
    ServedTree served = MemoryDisks.serve(disk);
    RequestServer other = kernel.server(served);
    long handle = kernel.open(other, FILE, 0).number();
    kernel.limitAnswers();

    KernelReply reply =
        kernel.call(other, KernelRequest.read(KernelRequest.READ, FILE, handle, 0, LENGTH));

    reply.requireErrno(5);
  }
}
