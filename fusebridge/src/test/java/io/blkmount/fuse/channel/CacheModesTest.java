// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.fuse.MemoryDisks;
import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the answer to an open says of the page cache. */
final class CacheModesTest {
  private static final long FILE = 2;
  private static final long OTHER = 3;

  private static final int READ_ONLY = 0;
  private static final int READ_WRITE = 2;
  private static final int DIRECT = directFlag();

  private static final int FOPEN_DIRECT_IO = 1;
  private static final int FOPEN_KEEP_CACHE = 1 << 1;
  private static final int FOPEN_NOFLUSH = 1 << 5;

  private FakeKernel kernel;
  private BlockBackend disk;
  private RequestServer server;

  /** O_DIRECT of this processor. */
  private static int directFlag() {
    return System.getProperty("os.arch").equals("aarch64") ? 0200000 : 040000;
  }

  @BeforeEach
  void serve() throws IOException {
    kernel = new FakeKernel();
    disk = MemoryDisks.over(MemoryInstance.ofLength(1 << 16));
    server = kernel.server(MemoryDisks.serve(disk, disk));
  }

  @AfterEach
  void close() throws IOException {
    kernel.close();
    disk.close();
  }

  private FakeKernel.Handle open(long inode, int flags) {
    return kernel.open(server, inode, flags);
  }

  private void release(FakeKernel.Handle handle) {
    kernel
        .call(
            server, KernelRequest.ofHandle(KernelRequest.RELEASE, handle.inode(), handle.number()))
        .requireDone();
  }

  private static boolean isPastCache(FakeKernel.Handle handle) {
    return (handle.openFlags() & FOPEN_DIRECT_IO) != 0;
  }

  private static boolean keepsPages(FakeKernel.Handle handle) {
    return (handle.openFlags() & FOPEN_KEEP_CACHE) != 0;
  }

  @Test
  void pagesSurviveFromOneOpeningToTheNext() {
    for (int flags : new int[] {READ_ONLY, READ_WRITE, READ_ONLY}) {
      FakeKernel.Handle handle = open(FILE, flags);

      assertThat(keepsPages(handle) && !isPastCache(handle)).isTrue();
      release(handle);
    }
  }

  @Test
  void firstOpeningDecidesForAllThatJoinIt() {
    FakeKernel.Handle cached = open(FILE, READ_ONLY);
    FakeKernel.Handle past = open(OTHER, READ_WRITE | DIRECT);

    assertThat(isPastCache(open(FILE, READ_WRITE | DIRECT))).isFalse();
    assertThat(isPastCache(open(OTHER, READ_ONLY))).isTrue();
    release(cached);
    release(past);
    assertThat(isPastCache(open(FILE, READ_WRITE | DIRECT))).as("one is still open").isFalse();
    assertThat(isPastCache(open(OTHER, READ_ONLY))).as("one is still open").isTrue();
  }

  @Test
  void lastClosingLetsTheNextOpeningDecide() {
    release(open(FILE, READ_ONLY));

    FakeKernel.Handle past = open(FILE, READ_ONLY | DIRECT);
    assertThat(isPastCache(past)).isTrue();
    release(past);

    FakeKernel.Handle cached = open(FILE, READ_ONLY);
    assertThat(isPastCache(cached)).isFalse();
    assertThat(keepsPages(cached)).as("nothing was written past them").isTrue();
  }

  @Test
  void pagesAreForgottenOnceAfterWritesPastThem() {
    FakeKernel.Handle reader = open(FILE, READ_ONLY | DIRECT);
    FakeKernel.Handle joinedWriter = open(FILE, READ_WRITE);
    release(joinedWriter);
    release(reader);

    FakeKernel.Handle first = open(FILE, READ_ONLY);
    FakeKernel.Handle second = open(FILE, READ_ONLY);

    assertThat(keepsPages(first)).isFalse();
    assertThat(keepsPages(second)).isTrue();
  }

  /** Where no flush is asked for at close, none may be missed. */
  @Test
  void onlyReadersCloseWithoutAFlush() {
    assertThat(open(FILE, READ_ONLY).openFlags() & FOPEN_NOFLUSH).isNotZero();
    assertThat(open(FILE, READ_WRITE).openFlags() & FOPEN_NOFLUSH).isZero();
    assertThat(open(FILE, 1).openFlags() & FOPEN_NOFLUSH).as("write only").isZero();
    assertThat(open(OTHER, READ_WRITE | DIRECT).openFlags() & FOPEN_NOFLUSH).isZero();
  }
}
