// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.fuse.ExportTree;
import io.blkmount.fuse.MemoryDisks;
import io.blkmount.fuse.MountOptions;
import io.blkmount.fuse.RawDisks;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The root directory, in pieces as large as the kernel has room for. */
final class DirectoryListingTest {
  private static final int LENGTH = 8192;

  /** With names of all lengths modulo 8, and one that is as long as names can be. */
  private static final List<String> NAMES =
      List.of("a", "bb", "ccc", "dddd", "eeeee", "f23456", "g234567", "h2345678", "i".repeat(251));

  private static final int DIRENT = 24; // up to the name
  private static final int ENTRY = 128;
  private static final int LARGEST = ENTRY + DIRENT + 256;

  @TempDir Path folder;
  private final FakeKernel kernel;
  private final List<BlockBackend> disks = new ArrayList<>();
  private RequestServer server;

  DirectoryListingTest() throws IOException {
    kernel = new FakeKernel();
  }

  private record Found(long inode, long next, int type, String name) {}

  @BeforeEach
  void serve() throws IOException {
    for (String name : NAMES) {
      disks.add(RawDisks.open(RawDisks.create(folder.resolve(name + ".img"), LENGTH)));
    }
    ExportTree tree = ExportTree.directory(disks);
    server = kernel.server(ServedTree.of(tree, MountOptions.of("disks", 12, 34)));
  }

  @AfterEach
  void close() throws IOException {
    kernel.close();
    for (BlockBackend disk : disks) {
      disk.close();
    }
  }

  private ByteBuffer list(boolean plus, long position, int room) {
    int opcode = plus ? KernelRequest.READDIRPLUS : KernelRequest.READDIR;
    ByteBuffer body = kernel.call(server, KernelRequest.read(opcode, 1, 0, position, room)).data();
    assertThat(body.remaining())
        .isLessThanOrEqualTo(Math.max(0, room))
        .isEqualTo(body.remaining() & -8);
    return body;
  }

  private List<Found> parse(ByteBuffer body, boolean plus) {
    List<Found> found = new ArrayList<>();
    int at = 0;
    while (at < body.limit()) {
      int dirent = plus ? at + ENTRY : at;
      byte[] name = new byte[body.getInt(dirent + 16)];
      body.get(dirent + DIRENT, name);
      Found entry =
          new Found(
              body.getLong(dirent),
              body.getLong(dirent + 8),
              body.getInt(dirent + 20),
              new String(name, UTF_8));
      if (plus) {
        requireAttributes(body, at, entry);
      }
      found.add(entry);
      at = dirent + DIRENT + (name.length + 7) / 8 * 8;
    }
    assertThat(at).as("end of the last entry").isEqualTo(body.limit());
    return found;
  }

  /** Those of "." and ".." are not given: inode 0 says so. */
  private static void requireAttributes(ByteBuffer body, int at, Found entry) {
    boolean isFile = !entry.name().startsWith(".");
    assertThat(body.getLong(at)).isEqualTo(isFile ? entry.inode() : 0);
    assertThat(body.getLong(at + 40)).isEqualTo(isFile ? entry.inode() : 0);
    assertThat(body.getLong(at + 48)).as("size").isEqualTo(isFile ? LENGTH : 0);
    assertThat(body.getInt(at + 40 + 60)).as("mode").isEqualTo(isFile ? 0100600 : 0);
  }

  private static List<String> expectedNames() {
    List<String> expected = new ArrayList<>(List.of(".", ".."));
    NAMES.forEach(name -> expected.add(name + ".raw"));
    return expected;
  }

  @ParameterizedTest(name = "with attributes: {0}")
  @ValueSource(booleans = {false, true})
  void everythingIsListedAtOnceWhereThereIsRoom(boolean plus) {
    List<Found> found = parse(list(plus, 0, 4096), plus);

    assertThat(found.stream().map(Found::name)).containsExactlyElementsOf(expectedNames());
    assertThat(found.stream().map(Found::inode))
        .containsExactly(1L, 1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 10L);
    assertThat(found.subList(0, 2)).allMatch(entry -> entry.type() == 4); // DT_DIR
    assertThat(found.subList(2, 11)).allMatch(entry -> entry.type() == 8); // DT_REG
  }

  @ParameterizedTest(name = "with attributes: {0}")
  @ValueSource(booleans = {false, true})
  void everyRoomThatTakesTheLargestEntryListsEachOnce(boolean plus) {
    int smallest = plus ? LARGEST : LARGEST - ENTRY;
    for (int room = smallest; room < smallest + 500; room++) {
      List<String> names = new ArrayList<>();
      long position = 0;
      for (ByteBuffer body = list(plus, 0, room); body.hasRemaining(); ) {
        List<Found> found = parse(body, plus);
        found.forEach(entry -> names.add(entry.name()));
        position = found.get(found.size() - 1).next();
        body = list(plus, position, room);
      }
      assertThat(names).as("room %d", room).containsExactlyElementsOf(expectedNames());
    }
  }

  @Test
  void listingGoesOnBehindWhicheverEntryWasTheLast() {
    List<Found> all = parse(list(false, 0, 4096), false);

    for (int i = 0; i < all.size(); i++) {
      List<Found> rest = parse(list(false, all.get(i).next(), 4096), false);
      assertThat(rest).isEqualTo(all.subList(i + 1, all.size()));
    }
  }

  @Test
  void positionsPastTheEndAndRoomsForNothingGiveNothing() {
    for (long position : new long[] {11, 12, 1L << 32, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
      assertThat(list(false, position, 4096).hasRemaining()).as("at %d", position).isFalse();
    }
    assertThat(list(true, 0, 0).hasRemaining()).isFalse();
    assertThat(list(true, 0, ENTRY + DIRENT + 7).hasRemaining()).isFalse();
  }

  @Test
  void directoriesAreOpenedAndClosedWithoutAHandle() {
    ByteBuffer opened = kernel.call(server, KernelRequest.of(KernelRequest.OPENDIR, 1, 8)).body(16);

    assertThat(opened.getLong(0)).isZero();
    for (int opcode : new int[] {KernelRequest.FSYNCDIR, KernelRequest.RELEASEDIR}) {
      kernel.call(server, KernelRequest.ofHandle(opcode, 1, 0)).requireDone();
    }
  }

  /** Names in the root of such a mount are asked for by nobody: it is no directory. */
  @Test
  void fileAsRootHasNoNames() throws IOException {
    try (BlockBackend disk = MemoryDisks.over(MemoryInstance.ofLength(LENGTH))) {
      ServedTree served = ServedTree.of(ExportTree.file(disk), MountOptions.of("disk", 12, 34));
      server = kernel.server(served);

      ByteBuffer body = kernel.call(server, KernelRequest.attributes(1, 0, 0)).body(104);
      assertThat(body.getInt(16 + 60)).isEqualTo(0100600);
      long handle = kernel.open(server, 1, 2).number();
      assertThat(
              kernel
                  .call(server, KernelRequest.read(KernelRequest.READ, 1, handle, 0, LENGTH))
                  .data()
                  .remaining())
          .isEqualTo(LENGTH);
    }
  }
}
