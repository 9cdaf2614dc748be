// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.RecordingInstance;
import io.blkmount.fuse.MemoryDisks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What of a request reaches the host, and what its failures come to. */
final class SyncRequestsTest {
  private static final int LENGTH = 1 << 16;
  private static final long FILE = 2;

  private static final int EIO = 5;

  private FakeKernel kernel;

  @BeforeEach
  void start() throws IOException {
    kernel = new FakeKernel();
  }

  @AfterEach
  void end() {
    kernel.close();
  }

  private KernelReply call(RequestServer server, int opcode, long handle) {
    return kernel.call(server, KernelRequest.ofHandle(opcode, FILE, handle));
  }

  @Test
  void fsyncFlushesTheHostAndCloseDoesNot() throws IOException {
    RecordingInstance host = new RecordingInstance(MemoryInstance.ofLength(LENGTH));
    try (BlockBackend disk = MemoryDisks.over(host)) {
      RequestServer server = kernel.server(MemoryDisks.serve(disk));
      long handle = kernel.open(server, FILE, 2).number();
      ByteBuffer data = Images.bytes(4096, 1);

      kernel.call(server, KernelRequest.write(FILE, handle, 0, data)).body(8);
      call(server, KernelRequest.FLUSH, handle).requireDone();
      assertThat(host.calls()).noneMatch(call -> call.kind() == Kind.FLUSH);

      call(server, KernelRequest.FSYNC, handle).requireDone();
      assertThat(host.calls()).filteredOn(call -> call.kind() == Kind.FLUSH).hasSize(1);
    }
  }

  /** Past the page cache nobody else makes such a write durable. */
  @ParameterizedTest(name = "opened with 0{0}: {1} flushes")
  @CsvSource({"2, 0", "10002, 1", "4010002, 1"}) // O_RDWR, and with O_DSYNC, with O_SYNC
  void synchronousWriteIsDurable(String octalFlags, int flushes) throws IOException {
    int flags = Integer.parseInt(octalFlags, 8);
    RecordingInstance host = new RecordingInstance(MemoryInstance.ofLength(LENGTH));
    try (BlockBackend disk = MemoryDisks.over(host)) {
      RequestServer server = kernel.server(MemoryDisks.serve(disk));
      long handle = kernel.open(server, FILE, flags).number();
      KernelRequest write = KernelRequest.write(FILE, handle, 0, Images.bytes(4096, 1));

      kernel.call(server, write.putInt(32, flags)).body(8);

      assertThat(host.calls()).filteredOn(call -> call.kind() == Kind.FLUSH).hasSize(flushes);
    }
  }

  @ParameterizedTest(name = "{0} fails with {1}: errno {2}")
  @CsvSource({
    "READ, IO, 5",
    "WRITE, IO, 5",
    "WRITE, NO_SPACE, 28",
    "WRITE, QUOTA, 122",
    "FLUSH, IO, 5",
    "FLUSH, NO_SPACE, 28",
    "ZERO, NO_SPACE, 28"
  })
  void failuresOfTheHostAreAnswered(Kind kind, BlockError error, int errno) throws IOException {
    FaultInstance host =
        new FaultInstance(MemoryInstance.ofLength(LENGTH), Set.of(kind), error, false);
    try (BlockBackend disk = MemoryDisks.over(host)) {
      RequestServer server = kernel.server(MemoryDisks.serve(disk));
      long handle = kernel.open(server, FILE, 2).number();
      kernel.call(server, KernelRequest.write(FILE, handle, 0, Images.bytes(10, 1))).body(8);
      host.failOnce(0);

      KernelReply reply =
          switch (kind) {
            case READ ->
                kernel.call(server, KernelRequest.read(KernelRequest.READ, FILE, handle, 0, 10));
            case WRITE ->
                kernel.call(server, KernelRequest.write(FILE, handle, 0, Images.bytes(10, 2)));
            case FLUSH -> call(server, KernelRequest.FSYNC, handle);
            default -> kernel.call(server, KernelRequest.allocate(FILE, handle, 0x10, 0, 4096));
          };

      assertThat(host.tripped()).isTrue();
      reply.requireErrno(errno);
    }
  }

  /** A fault of the program leaves the server able to go on, and its caller not waiting. */
  @Test
  void faultIsAnInputOutputError() throws IOException {
    try (BlockBackend disk = MemoryDisks.over(new FaultyInstance())) {
      RequestServer server = kernel.server(MemoryDisks.serve(disk));
      long handle = kernel.open(server, FILE, 2).number();
      KernelRequest read = KernelRequest.read(KernelRequest.READ, FILE, handle, 0, 4096);

      kernel.call(server, read).requireErrno(EIO);
      kernel.call(server, read).requireErrno(EIO);
      assertThat(kernel.call(server, KernelRequest.write(FILE, handle, 0, Images.bytes(5, 1))))
          .satisfies(reply -> assertThat(reply.body(8).getInt(0)).isEqualTo(5));
    }
  }

  /** A driver with a fault in its read. */
  private static final class FaultyInstance extends ForwardingInstance {
    FaultyInstance() {
      super(MemoryInstance.ofLength(LENGTH));
    }

    @Override
    protected void before(Call call) {
      if (call.kind() == Kind.READ) {
        throw new IllegalStateException("meant to be seen in the log of this test");
      }
    }
  }
}
