// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static io.blkmount.fuse.channel.HoleyDisks.CLUSTER;
import static io.blkmount.fuse.channel.HoleyDisks.LENGTH;
import static io.blkmount.fuse.channel.HoleyDisks.PUNCH_HOLE;
import static io.blkmount.fuse.channel.HoleyDisks.content;
import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** FALLOCATE and LSEEK: where space is, and where it goes. */
final class SpaceRequestsTest {
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;

  private static final int ENXIO = 6;
  private static final int EINVAL = 22;
  private static final int EROFS = 30;

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

  private KernelReply seek(long offset, int whence) {
    return disks.call(
        KernelRequest.seek(disks.sparse.inode(), disks.sparse.number(), offset, whence));
  }

  @ParameterizedTest(name = "mode {0}")
  @ValueSource(ints = {0x3, 0x10, 0x11}) // punch, zero, zero and keep the size
  void zeroedRangesReadAsZeros(int mode) throws IOException {
    disks.allocate(disks.full, mode, 1000, 100_000).requireDone();

    assertThat(content(disks.fullDisk))
        .isEqualTo(Images.bytes(LENGTH, 1).put(1000, new byte[100_000]));
  }

  @ParameterizedTest(name = "mode {0} at {1} for {2}: errno {3}")
  @CsvSource({
    "0x0, 0, 524288, 0",
    "0x1, 5, 10, 0",
    "0x0, 524280, 9, 27", // EFBIG
    "0x1, 524280, 9, 28", // ENOSPC: nothing can be kept behind the end
    "0x10, 524280, 9, 27",
    "0x3, 524280, 9, 0",
    "0x3, 524288, 9, 0",
    "0x8, 0, 4096, 95", // COLLAPSE: EOPNOTSUPP
    "0x20, 0, 4096, 95", // INSERT
    "0x41, 0, 4096, 95", // UNSHARE
    "0x0, 0, 0, 22",
    "0x0, -1, 4096, 22",
    "0x0, 9223372036854775807, 1, 22"
  })
  void allocationIsAnsweredAsAFixedDiskAllows(String mode, long offset, long length, int errno)
      throws IOException {
    disks.allocate(disks.full, Integer.decode(mode), offset, length).requireErrno(errno);

    assertThat(disks.fullDisk.length()).isEqualTo(LENGTH);
  }

  @Test
  void allocationGrowsAResizableDiskUnlessItKeepsTheSize() throws IOException {
    disks.allocate(disks.resizable, 0x11, LENGTH, 4096).requireDone();
    assertThat(disks.resizableDisk.length()).isEqualTo(LENGTH);

    disks.allocate(disks.resizable, 0, LENGTH, 4096).requireDone();
    assertThat(disks.resizableDisk.length()).isEqualTo(LENGTH + 4096);
    disks.allocate(disks.readOnly, 0, 0, 4096).requireErrno(EROFS);
  }

  @ParameterizedTest(name = "from {0}: data at {1}, hole at {2}")
  @CsvSource({
    "0, 65536, 0",
    "65535, 65536, 65535",
    "65536, 65536, 131072",
    "131071, 131071, 131072",
    "131072, 327680, 131072",
    "400000, 400000, 524288",
    "524287, 524287, 524288"
  })
  void seekFindsDataAndHoles(long from, long data, long hole) {
    assertThat(seek(from, SEEK_DATA).body(8).getLong(0)).isEqualTo(data);
    assertThat(seek(from, SEEK_HOLE).body(8).getLong(0)).isEqualTo(hole);
  }

  @Test
  void seekOutsideOfTheDiskOrWithoutDataIsEnxio() {
    for (long offset : new long[] {LENGTH, LENGTH + 1, Long.MAX_VALUE, -1}) {
      seek(offset, SEEK_DATA).requireErrno(ENXIO);
      seek(offset, SEEK_HOLE).requireErrno(ENXIO);
    }
    disks.allocate(disks.sparse, PUNCH_HOLE, 5 * CLUSTER, 3 * CLUSTER).requireDone();

    seek(2 * CLUSTER, SEEK_DATA).requireErrno(ENXIO);
    assertThat(seek(2 * CLUSTER, SEEK_HOLE).body(8).getLong(0)).isEqualTo(2 * CLUSTER);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 5, -1})
  void otherSeeksAreInvalid(int whence) {
    seek(0, whence).requireErrno(EINVAL);
  }
}
