// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.Images;
import io.blkmount.fuse.ExportTree;
import io.blkmount.fuse.MountOptions;
import io.blkmount.fuse.RawDisks;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;
import jnr.ffi.Struct;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import ru.serce.jnrfuse.struct.FileStat;
import ru.serce.jnrfuse.struct.FuseFileInfo;
import ru.serce.jnrfuse.struct.Statvfs;

/** The upcalls, called as libfuse calls them, without a mount. */
final class JnrFuseAdapterTest {
  private static final int LENGTH = 1 << 20;
  private static final int SIZE_OF_FILE_INFO = 64;
  private static final int READ_WRITE = 2;

  private static final int EPERM = 1;
  private static final int ENOENT = 2;
  private static final int EIO = 5;
  private static final int EISDIR = 21;
  private static final int EFBIG = 27;
  private static final int EROFS = 30;
  private static final int EOPNOTSUPP = 95;
  private static final int ESTALE = 116;
  private static final int ENOMEDIUM = 123;

  @TempDir Path folder;
  private final Runtime runtime = Runtime.getSystemRuntime();
  private Path image;
  private BlockBackend disk;
  private ServedTree served;
  private JnrFuseAdapter adapter;

  @BeforeEach
  void openDisk() throws IOException {
    image = RawDisks.create(folder.resolve("disk.img"), LENGTH, 1);
    serve(RawDisks.open(image));
  }

  private void serve(BlockBackend opened) {
    disk = opened;
    served = ServedTree.of(ExportTree.directory(List.of(disk)), MountOptions.of("disk", 12, 34));
    adapter = new JnrFuseAdapter(served);
  }

  @AfterEach
  void closeDisk() throws IOException {
    disk.close();
  }

  private Pointer text(String path) {
    byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
    Pointer memory = Memory.allocateDirect(runtime, bytes.length + 1, true);
    memory.put(0, bytes, 0, bytes.length);
    return memory;
  }

  private Pointer bytes(int length, long seed) {
    byte[] content = new byte[length];
    Images.bytes(length, seed).get(content);
    Pointer memory = Memory.allocateDirect(runtime, length, false);
    memory.put(0, content, 0, length);
    return memory;
  }

  private FuseFileInfo newInfo(int flags) {
    FuseFileInfo info = FuseFileInfo.of(Memory.allocateDirect(runtime, SIZE_OF_FILE_INFO, true));
    info.flags.set(flags);
    return info;
  }

  private FuseFileInfo open(int flags) {
    Pointer memory = Memory.allocateDirect(runtime, SIZE_OF_FILE_INFO, true);
    FuseFileInfo info = FuseFileInfo.of(memory);
    info.flags.set(flags);
    assertThat(adapter.openFile(text("/disk.raw"), memory)).isZero();
    return info;
  }

  @Test
  void attributesOfAFileAreFilledIn() throws IOException {
    FileStat stat = new FileStat(runtime);

    int result = adapter.attributes(text("/disk.raw"), Struct.getMemory(stat));

    assertThat(result).isZero();
    assertThat(stat.st_ino.longValue()).isEqualTo(2);
    assertThat(stat.st_mode.intValue()).isEqualTo(0100600);
    assertThat(stat.st_uid.intValue()).isEqualTo(12);
    assertThat(stat.st_gid.intValue()).isEqualTo(34);
    assertThat(stat.st_size.longValue()).isEqualTo(LENGTH);
    assertThat(stat.st_mtim.tv_sec.longValue() * 1_000_000_000 + stat.st_mtim.tv_nsec.longValue())
        .isEqualTo(disk.modifiedNanos());
  }

  @Test
  void rootIsADirectoryAndOtherNamesDoNotExist() {
    FileStat stat = new FileStat(runtime);
    Pointer memory = Struct.getMemory(stat);

    assertThat(adapter.attributes(text("/"), memory)).isZero();
    assertThat(stat.st_mode.intValue()).isEqualTo(040500);
    assertThat(adapter.attributes(text("/disk"), memory)).isEqualTo(-ENOENT);
    assertThat(adapter.truncateFile(text("/"), 0)).isEqualTo(-EISDIR);
  }

  @Test
  void bytesGoThroughWithoutACopy() throws IOException {
    FuseFileInfo info = open(READ_WRITE);
    Pointer target = Memory.allocateDirect(runtime, 8192, true);

    assertThat(adapter.write("", bytes(5000, 7), 5000, 100, info)).isEqualTo(5000);
    assertThat(adapter.read("", target, 8192, 100, info)).isEqualTo(8192);

    assertThat(NativeBuffers.over(target, 5000)).isEqualTo(Images.bytes(5000, 7));
    assertThat(adapter.fsync("", 0, info)).isZero();
    assertThat(adapter.flush("", info)).isZero();
    assertThat(adapter.release("", info)).isZero();
    assertThat(served.handles().count()).isZero();
    assertThat(adapter.flush("", info)).isEqualTo(-ESTALE);
  }

  @Test
  void endOfTheDiskIsAnsweredAsForAFile() {
    FuseFileInfo info = open(READ_WRITE);
    Pointer buffer = bytes(100, 1);

    assertThat(adapter.read("", buffer, 100, LENGTH, info)).isZero();
    assertThat(adapter.read("", buffer, 100, LENGTH - 1, info)).isEqualTo(1);
    assertThat(adapter.write("", buffer, 100, LENGTH - 1, info)).isEqualTo(1);
    assertThat(adapter.write("", buffer, 100, LENGTH, info)).isEqualTo(-EFBIG);
  }

  @Test
  void lengthAndAllocationAreAnsweredWithErrnos() {
    FuseFileInfo info = open(READ_WRITE);

    assertThat(adapter.ftruncate("", LENGTH, info)).isZero();
    assertThat(adapter.ftruncate("", 0, info)).isEqualTo(-EPERM);
    assertThat(adapter.truncateFile(text("/disk.raw"), LENGTH)).isZero();
    assertThat(adapter.truncateFile(text("/disk.raw"), 5)).isEqualTo(-EPERM);
    assertThat(adapter.fallocate("", 3, 0, 4096, info)).isZero();
    assertThat(adapter.fallocate("", 8, 0, 4096, info)).isEqualTo(-EOPNOTSUPP);
  }

  @Test
  void readOnlyDiskIsNotOpenedForWriting() throws IOException {
    disk.close();
    serve(RawDisks.openReadOnly(image));
    Pointer info = Struct.getMemory(newInfo(READ_WRITE));

    assertThat(adapter.openFile(text("/disk.raw"), info)).isEqualTo(-EROFS);
  }

  @Test
  void statfsTellsTheDisksSize() {
    Statvfs stat = Statvfs.of(Memory.allocateDirect(runtime, 256, true));

    assertThat(adapter.statfs("/", stat)).isZero();

    assertThat(stat.f_bsize.intValue()).isEqualTo(4096);
    assertThat(stat.f_blocks.longValue()).isEqualTo(LENGTH / 4096);
    assertThat(stat.f_namemax.intValue()).isEqualTo(255);
  }

  @Test
  void faultsAndFailuresOfADiskAreErrnosToo() throws IOException {
    FuseFileInfo info = open(READ_WRITE);
    Pointer buffer = bytes(10, 1);

    assertThat(adapter.read("", buffer, Integer.MAX_VALUE + 1L, 0, info)).isEqualTo(-EIO);
    disk.close();
    assertThat(adapter.read("", buffer, 10, 0, info)).isEqualTo(-ENOMEDIUM);
  }

  @Test
  void dataOfAWriteBeginsOnAPage() {
    RequestBuffer buffer = new RequestBuffer(runtime, 135_168);

    assertThat((buffer.memory().address() + 80) % 4096).isZero();
    ByteBuffer whole = NativeBuffers.over(buffer.memory(), buffer.size());
    whole.put(buffer.size() - 1, (byte) 1);
    assertThat(buffer.memory().getByte(buffer.size() - 1L)).isEqualTo((byte) 1);
  }
}
