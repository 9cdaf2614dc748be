// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.Images;
import io.blkmount.fuse.MemoryDisks;
import io.blkmount.fuse.RawDisks;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Opening, reading, writing and closing, as the kernel asks for it. */
final class FileRequestsTest {
  private static final int LENGTH = 300_000; // no multiple of anything
  private static final long FILE = 2;
  private static final long RESIZABLE = 3;
  private static final long READ_ONLY = 4;

  private static final int O_RDWR = 2;
  private static final int O_TRUNC = 01000;

  private static final int EISDIR = 21;
  private static final int EINVAL = 22;
  private static final int EFBIG = 27;
  private static final int EROFS = 30;
  private static final int ESTALE = 116;

  @TempDir Path folder;
  private FakeKernel kernel;
  private BlockBackend[] disks;
  private ServedTree served;
  private RequestServer server;

  @BeforeEach
  void serve() throws IOException {
    kernel = new FakeKernel();
    disks =
        new BlockBackend[] {
          RawDisks.open(RawDisks.create(folder.resolve("fixed.img"), LENGTH, 1)),
          RawDisks.openResizable(RawDisks.create(folder.resolve("resizable.img"), LENGTH, 1)),
          RawDisks.openReadOnly(RawDisks.create(folder.resolve("readonly.img"), LENGTH, 1)),
        };
    served = MemoryDisks.serve(disks);
    server = kernel.server(served);
  }

  @AfterEach
  void close() throws IOException {
    kernel.close();
    for (BlockBackend disk : disks) {
      disk.close();
    }
  }

  private long open(long inode) {
    return kernel.open(server, inode, O_RDWR).number();
  }

  private KernelReply read(long handle, long offset, int size) {
    return kernel.call(server, KernelRequest.read(KernelRequest.READ, FILE, handle, offset, size));
  }

  private KernelReply write(long handle, long offset, ByteBuffer data) {
    return kernel.call(server, KernelRequest.write(FILE, handle, offset, data));
  }

  /** The kernel takes struct fuse_write_out as four bytes of count and four of padding. */
  private static void assertTaken(KernelReply reply, int count) {
    assertThat(reply.body(8).getInt(0)).isEqualTo(count);
  }

  @ParameterizedTest(name = "{1} bytes at {0}: {2}")
  @CsvSource({
    "0, 4096, 4096",
    "4095, 4098, 4098",
    "4096, 131072, 131072",
    "1, 1, 1",
    "299999, 4096, 1",
    "290000, 131072, 10000",
    "300000, 4096, 0",
    "300001, 1, 0",
    "9223372036854775000, 4096, 0",
    "17, 0, 0"
  })
  void readGivesWhatThereIs(long offset, int size, int count) {
    ByteBuffer data = read(open(FILE), offset, size).data();

    assertThat(data.remaining()).isEqualTo(count);
    assertThat(data)
        .isEqualTo(Images.bytes(LENGTH, 1).slice((int) Math.min(offset, LENGTH), count));
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, Integer.MIN_VALUE, (1 << 20) + 1, Integer.MAX_VALUE})
  void sizesThatWereNotAgreedOnAreInvalid(int size) {
    long handle = open(FILE);
    KernelRequest request = KernelRequest.write(FILE, handle, 0, Images.bytes(512, 2));

    read(handle, 0, size).requireErrno(EINVAL);
    kernel.call(server, request.putInt(16, size)).requireErrno(EINVAL);

    assertThat(read(handle, 0, 512).data()).isEqualTo(Images.bytes(LENGTH, 1).slice(0, 512));
  }

  @ParameterizedTest(name = "{1} bytes at {0}")
  @CsvSource({"0, 4096", "4095, 4098", "123, 131072", "299999, 1", "5, 0"})
  void writtenBytesAreRead(int offset, int size) {
    long handle = open(FILE);

    assertTaken(write(handle, offset, Images.bytes(size, 2)), size);

    ByteBuffer expected = Images.bytes(LENGTH, 1);
    expected.put(offset, Images.bytes(size, 2), 0, size);
    assertThat(read(handle, 0, 100_000).data()).isEqualTo(expected.slice(0, 100_000));
    assertThat(read(handle, 200_000, 100_000).data()).isEqualTo(expected.slice(200_000, 100_000));
  }

  @Test
  void writeStopsAtTheEndOfAFixedDisk() throws IOException {
    long handle = open(FILE);

    assertTaken(write(handle, LENGTH - 10, Images.bytes(100, 2)), 10);
    write(handle, LENGTH, Images.bytes(1, 2)).requireErrno(EFBIG);
    write(handle, 1L << 40, Images.bytes(100, 2)).requireErrno(EFBIG);

    assertThat(disks[0].length()).isEqualTo(LENGTH);
    assertThat(read(handle, LENGTH - 10, 100).data()).isEqualTo(Images.bytes(100, 2).slice(0, 10));
  }

  @Test
  void writeGrowsAResizableDisk() throws IOException {
    long handle = open(RESIZABLE);

    assertTaken(write(handle, LENGTH + 1000, Images.bytes(100, 2)), 100);

    assertThat(disks[1].length()).isEqualTo(LENGTH + 1100);
    assertThat(read(handle, LENGTH, 1000).data()).isEqualTo(ByteBuffer.allocate(1000));
  }

  @Test
  void openingWithTruncateEmptiesAResizableDiskOnly() throws IOException {
    kernel.open(server, FILE, O_RDWR | O_TRUNC);
    kernel.open(server, RESIZABLE, O_RDWR | O_TRUNC);

    assertThat(disks[0].length()).isEqualTo(LENGTH);
    assertThat(disks[1].length()).isZero();
  }

  @Test
  void whatCannotBeOpenedIsRefusedWithoutAHandle() {
    kernel.call(server, KernelRequest.open(1, 0)).requireErrno(EISDIR);
    kernel.call(server, KernelRequest.open(5, 0)).requireErrno(ESTALE);
    kernel.call(server, KernelRequest.open(READ_ONLY, O_RDWR)).requireErrno(EROFS);
    kernel.call(server, KernelRequest.open(READ_ONLY, O_TRUNC)).requireErrno(EROFS);

    assertThat(served.handles().count()).isZero();
    assertThat(read(kernel.open(server, READ_ONLY, 0).number(), 0, 10).data().remaining())
        .isEqualTo(10);
  }

  @Test
  void handleIsGoodUntilItIsReleased() {
    long first = open(FILE);
    long second = open(FILE);
    KernelRequest release = KernelRequest.ofHandle(KernelRequest.RELEASE, FILE, first);

    kernel.call(server, release).requireDone();

    assertThat(second).isNotEqualTo(first).isNotZero();
    read(first, 0, 10).requireErrno(ESTALE);
    write(first, 0, Images.bytes(10, 2)).requireErrno(ESTALE);
    kernel.call(server, release).requireErrno(ESTALE);
    assertThat(open(FILE)).as("a number never comes back").isNotEqualTo(first);
    assertThat(read(second, 0, 10).data().remaining()).isEqualTo(10);
    assertThat(served.handles().count()).isEqualTo(2);
  }

  /** An open that was interrupted is answered to nobody, and no release follows. */
  @Test
  void openingThatNobodyWaitsForIsClosedAgain() {
    kernel.hangUp();

    long unused = kernel.tell(server, KernelRequest.open(FILE, O_RDWR));

    assertThat(served.handles().count()).isZero();
  }
}
