// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static io.blkmount.fuse.channel.HoleyDisks.CLUSTER;
import static io.blkmount.fuse.channel.HoleyDisks.LENGTH;
import static io.blkmount.fuse.channel.HoleyDisks.content;
import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** COPY_FILE_RANGE between the disks of a mount. */
final class CopyRequestsTest {
  private static final int EFBIG = 27;
  private static final int EROFS = 30;
  private static final int ESTALE = 116;

  @TempDir Path folder;
  private HoleyDisks disks;

  @BeforeEach
  void serve() throws IOException {
    disks = new HoleyDisks(folder);
  }

  @AfterEach
  void close() throws IOException {
    disks.close();
  }

  private KernelReply copy(
      FakeKernel.Handle from, long offset, FakeKernel.Handle to, long targetOffset, long length) {
    return disks.call(KernelRequest.copy(from, offset, to, targetOffset, length));
  }

  @Test
  void copyKeepsTheHolesOfItsSource() throws IOException {
    ByteBuffer expected = content(disks.sparseDisk);
    disks.sparseDisk.write(2 * CLUSTER, Images.bytes(CLUSTER, 9)); // which a hole is copied over

    long copied = copy(disks.sparse, 0, disks.full, 0, LENGTH).body(8).getInt(0);
    long back = copy(disks.full, 3 * CLUSTER, disks.sparse, 2 * CLUSTER, CLUSTER).body(8).getInt(0);

    assertThat(copied).isEqualTo(LENGTH);
    assertThat(back).isEqualTo(CLUSTER);
    expected.put(2 * CLUSTER, Images.bytes(CLUSTER, 9), 0, CLUSTER);
    assertThat(content(disks.fullDisk)).isEqualTo(expected);
    expected.put(2 * CLUSTER, new byte[CLUSTER]);
    assertThat(content(disks.sparseDisk)).isEqualTo(expected);
    assertThat(disks.fullDisk.allocatedBytes()).isLessThan(LENGTH - 2 * CLUSTER);
  }

  @Test
  void copyStopsAtBothEnds() throws IOException {
    assertThat(copy(disks.full, LENGTH - 1000, disks.resizable, 0, 5000).body(8).getInt(0))
        .isEqualTo(1000);
    assertThat(copy(disks.resizable, 0, disks.full, LENGTH - 300, 5000).body(8).getInt(0))
        .isEqualTo(300);
    assertThat(copy(disks.full, LENGTH, disks.resizable, 0, 5000).body(8).getInt(0)).isZero();
    assertThat(copy(disks.full, LENGTH + 5000, disks.resizable, 0, 5000).body(8).getInt(0))
        .isZero();
    copy(disks.resizable, 0, disks.full, LENGTH, 5000).requireErrno(EFBIG);

    assertThat(disks.fullDisk.length()).isEqualTo(LENGTH);
    ByteBuffer expected = Images.bytes(LENGTH, 1);
    expected.put(LENGTH - 300, Images.bytes(LENGTH, 1), LENGTH - 1000, 300);
    assertThat(content(disks.fullDisk)).isEqualTo(expected);
  }

  @Test
  void copyInsideADiskAndPastTheEndOfAResizableOne() throws IOException {
    assertThat(copy(disks.full, 0, disks.full, 5 * CLUSTER, CLUSTER).body(8).getInt(0))
        .isEqualTo(CLUSTER);
    assertThat(copy(disks.full, 0, disks.resizable, LENGTH + 10, 100).body(8).getInt(0))
        .isEqualTo(100);

    ByteBuffer expected = Images.bytes(LENGTH, 1);
    expected.put(5 * CLUSTER, Images.bytes(LENGTH, 1), 0, CLUSTER);
    assertThat(content(disks.fullDisk)).isEqualTo(expected);
    assertThat(disks.resizableDisk.length()).isEqualTo(LENGTH + 110);
    assertThat(content(disks.resizableDisk).slice(LENGTH, 10)).isEqualTo(ByteBuffer.allocate(10));
    assertThat(content(disks.resizableDisk).slice(LENGTH + 10, 100))
        .isEqualTo(Images.bytes(LENGTH, 1).slice(0, 100));
  }

  @Test
  void copyNeedsTwoHandlesAndAWritableTarget() {
    FakeKernel.Handle gone = new FakeKernel.Handle(3, disks.full.number() + (1L << 40), 0, 0);

    copy(gone, 0, disks.sparse, 0, 10).requireErrno(ESTALE);
    copy(disks.sparse, 0, gone, 0, 10).requireErrno(ESTALE);
    copy(disks.full, 0, disks.readOnly, 0, 10).requireErrno(EROFS);
    copy(disks.sparse, 0, disks.readOnly, 0, 10).requireErrno(EROFS);
  }
}
