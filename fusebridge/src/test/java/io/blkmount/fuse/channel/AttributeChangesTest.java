// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.Images;
import io.blkmount.fuse.MemoryDisks;
import io.blkmount.fuse.RawDisks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** SETATTR: a size where it may change, and nothing else. */
final class AttributeChangesTest {
  private static final int LENGTH = 1 << 20;
  private static final long FILE = 2;
  private static final long RESIZABLE = 3;
  private static final long READ_ONLY = 4;

  private static final int FATTR_MODE = 1;
  private static final int FATTR_UID = 1 << 1;
  private static final int FATTR_GID = 1 << 2;
  private static final int FATTR_SIZE = 1 << 3;
  private static final int FATTR_ATIME = 1 << 4;
  private static final int FATTR_MTIME = 1 << 5;
  private static final int FATTR_FH = 1 << 6;
  private static final int FATTR_ATIME_NOW = 1 << 7;
  private static final int FATTR_MTIME_NOW = 1 << 8;
  private static final int FATTR_LOCKOWNER = 1 << 9;
  private static final int FATTR_KILL_SUIDGID = 1 << 11;

  private static final int EPERM = 1;
  private static final int EISDIR = 21;
  private static final int EROFS = 30;
  private static final int ESTALE = 116;

  @TempDir Path folder;
  private FakeKernel kernel;
  private BlockBackend[] disks;
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
    server = kernel.server(MemoryDisks.serve(disks));
  }

  @AfterEach
  void close() throws IOException {
    kernel.close();
    for (BlockBackend disk : disks) {
      disk.close();
    }
  }

  private KernelReply change(long inode, int valid, long size) {
    return kernel.call(server, KernelRequest.change(inode, valid, 0, size));
  }

  private static void assertSize(KernelReply reply, long size) {
    assertThat(reply.body(104).getLong(16 + 8)).as("size").isEqualTo(size);
  }

  @ParameterizedTest(name = "valid={0}")
  @ValueSource(
      ints = {
        FATTR_MODE,
        FATTR_UID,
        FATTR_GID,
        FATTR_UID | FATTR_GID | FATTR_KILL_SUIDGID,
        FATTR_ATIME,
        FATTR_MTIME,
        FATTR_ATIME | FATTR_ATIME_NOW | FATTR_MTIME | FATTR_MTIME_NOW,
        FATTR_SIZE | FATTR_MODE,
        FATTR_SIZE | FATTR_UID,
      })
  void modesOwnersAndTimesAreNotPermitted(int valid) throws IOException {
    change(FILE, valid, 0).requireErrno(EPERM);
    change(RESIZABLE, valid, 0).requireErrno(EPERM);

    assertThat(disks[1].length()).as("nothing was changed before").isEqualTo(LENGTH);
  }

  @Test
  void sizeOfAFixedDiskStays() throws IOException {
    assertSize(change(FILE, FATTR_SIZE, LENGTH), LENGTH);

    for (long size : new long[] {0, LENGTH - 1, LENGTH + 1, -1, Long.MAX_VALUE}) {
      change(FILE, FATTR_SIZE, size).requireErrno(EPERM);
    }
    assertThat(disks[0].length()).isEqualTo(LENGTH);
  }

  @Test
  void sizeOfAResizableDiskChanges() throws IOException {
    assertSize(change(RESIZABLE, FATTR_SIZE, 1000), 1000);
    assertSize(change(RESIZABLE, FATTR_SIZE, 3000), 3000);

    assertThat(disks[1].length()).isEqualTo(3000);
    ByteBuffer content = ByteBuffer.allocateDirect(3000);
    disks[1].read(0, content);
    ByteBuffer expected = Images.bytes(LENGTH, 1).limit(3000);
    expected.put(1000, new byte[2000]);
    assertThat(content.flip()).isEqualTo(expected);
  }

  /** ftruncate(2) names its handle, and some kernels the times that it moves. */
  @Test
  void sizeIsChangedByHandleAndTogetherWithTimes() {
    long handle = kernel.open(server, RESIZABLE, 2).number();
    int valid = FATTR_SIZE | FATTR_FH | FATTR_LOCKOWNER;

    assertSize(kernel.call(server, KernelRequest.change(RESIZABLE, valid, handle, 5000)), 5000);
    assertSize(change(RESIZABLE, FATTR_SIZE | FATTR_MTIME | FATTR_MTIME_NOW, 6000), 6000);
    kernel
        .call(server, KernelRequest.change(RESIZABLE, valid, handle + 1, 7000))
        .requireErrno(ESTALE);
  }

  @Test
  void nothingToChangeIsAnsweredWithWhatIsThere() {
    assertSize(change(FILE, 0, 4711), LENGTH);
  }

  @Test
  void neitherADirectoryNorAReadOnlyDiskHasASizeToChange() throws IOException {
    change(1, FATTR_SIZE, 0).requireErrno(EISDIR);
    change(READ_ONLY, FATTR_SIZE, 0).requireErrno(EROFS);
    change(5, FATTR_SIZE, 0).requireErrno(ESTALE);

    assertThat(disks[2].length()).isEqualTo(LENGTH);
  }
}
