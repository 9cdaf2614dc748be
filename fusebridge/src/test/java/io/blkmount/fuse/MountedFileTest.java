// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What programs do with the file of a real mount. */
@OverBothTransports
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class MountedFileTest {
  private static final int LENGTH = 8 << 20;

  @Parameter String transport;
  @TempDir Path folder;
  private Path image;
  private Path source;

  @BeforeEach
  void createImage() throws IOException {
    image = RawDisks.create(folder.resolve("disk.img"), LENGTH, 1);
    source = RawDisks.create(folder.resolve("source"), LENGTH / 2, 2);
  }

  private MountedDisk mount() throws IOException {
    return mount(RawDisks.open(image));
  }

  private MountedDisk mount(BlockBackend disk) throws IOException {
    return MountedDisk.on(folder.resolve("mnt"), disk, MountedDisk.options(disk, transport));
  }

  private static byte[] bytes(int length, long seed) {
    byte[] content = new byte[length];
    Images.bytes(length, seed).get(content);
    return content;
  }

  /** The image's bytes with its first half replaced by the source's. */
  private static byte[] overwritten() {
    byte[] content = bytes(LENGTH, 1);
    System.arraycopy(bytes(LENGTH / 2, 2), 0, content, 0, LENGTH / 2);
    return content;
  }

  @Test
  void bytesAreReadAndWrittenThroughTheMount() throws IOException {
    try (MountedDisk mounted = mount()) {
      assertThat(mounted.file()).hasBinaryContent(bytes(LENGTH, 1));

      try (FileChannel file = mounted.open(READ, WRITE)) {
        assertThat(file.write(ByteBuffer.wrap(bytes(300_001, 3)), 12_345)).isEqualTo(300_001);
        file.force(true);
      }
    }

    byte[] expected = bytes(LENGTH, 1);
    System.arraycopy(bytes(300_001, 3), 0, expected, 12_345, 300_001);
    assertThat(image).hasBinaryContent(expected);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cp '%1$s' '%2$s'",
        "cat '%1$s' > '%2$s'",
        "dd if='%1$s' of='%2$s' bs=64k",
        "dd if='%1$s' of='%2$s' bs=1M oflag=direct conv=fsync",
        "dd if='%1$s' of='%2$s' bs=1M conv=notrunc oflag=sync",
      })
  void whateverOverwritesAFileOverwritesTheDiskAndLeavesItsSize(String command) throws Exception {
    try (MountedDisk mounted = mount()) {
      Tools.run("sh", "-c", String.format(command, source, mounted.file()));

      assertThat(Files.size(mounted.file())).isEqualTo(LENGTH);
      assertThat(mounted.file()).hasBinaryContent(overwritten());
    }

    assertThat(image).hasBinaryContent(overwritten());
  }

  @Test
  void mappingsAndCallsSeeTheSameBytes() throws IOException {
    try (MountedDisk mounted = mount();
        FileChannel file = mounted.open(READ, WRITE)) {
      MappedByteBuffer map = file.map(MapMode.READ_WRITE, 0, LENGTH);

      map.put(5000, (byte) 42);
      ByteBuffer one = ByteBuffer.allocate(1);
      file.read(one, 5000);
      file.write(ByteBuffer.wrap(new byte[] {43}), 70_000);

      assertThat(one.get(0)).isEqualTo((byte) 42);
      assertThat(map.get(70_000)).isEqualTo((byte) 43);
      map.force();
      assertThat(Files.readAllBytes(image)[5000]).isEqualTo((byte) 42);
    }
  }

  @Test
  void directReadsSeeWhatWasWrittenThroughThePageCache() throws Exception {
    try (MountedDisk mounted = mount()) {
      Tools.run("sh", "-c", "dd conv=notrunc if=" + source + " of=" + mounted.file());
      Path copy = folder.resolve("copy");

      Tools.run("dd", "iflag=direct", "bs=256k", "if=" + mounted.file(), "of=" + copy);

      assertThat(copy).hasBinaryContent(overwritten());
    }
  }

  @Test
  void anotherLengthIsNotPermittedOnAFixedDisk() throws Exception {
    try (MountedDisk mounted = mount()) {
      String file = mounted.file().toString();

      Tools.Result shrink = Tools.attempt("truncate", "-s", "4096", file);
      Tools.Result empty = Tools.attempt("truncate", "-s", "0", file);
      Tools.run("truncate", "-s", Integer.toString(LENGTH), file);

      assertThat(shrink.output()).endsWith("Operation not permitted");
      assertThat(empty.output()).endsWith("Operation not permitted");
      assertThat(mounted.file()).hasBinaryContent(bytes(LENGTH, 1));
    }
  }

  @Test
  void writesStopAtTheEndOfAFixedDisk() throws Exception {
    try (MountedDisk mounted = mount();
        FileChannel file = mounted.open(WRITE)) {
      assertThat(file.write(ByteBuffer.allocate(100), LENGTH - 10)).isEqualTo(10);
      assertThatThrownBy(() -> file.write(ByteBuffer.allocate(1), LENGTH))
          .isInstanceOf(IOException.class)
          .hasMessage("File too large");

      String append = "echo x | tee -a " + mounted.file();
      assertThat(Tools.attempt("sh", "-c", append).output()).contains("File too large");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"--punch-hole", "--zero-range"})
  void zeroedRangesReadAsZerosNowAndLater(String mode) throws Exception {
    byte[] expected = bytes(LENGTH, 1);
    Arrays.fill(expected, 12_345, 12_345 + 2_000_000, (byte) 0);
    try (MountedDisk mounted = mount()) {
      String file = mounted.file().toString();
      Tools.run("fallocate", mode, "-o", "12345", "-l", "2000000", file);

      assertThat(mounted.file()).hasBinaryContent(expected);
    }

    assertThat(image).hasBinaryContent(expected);
  }

  @Test
  void allocationIsAnsweredAsTheDiskAllows() throws Exception {
    try (MountedDisk mounted = mount()) {
      String file = mounted.file().toString();
      Tools.run("fallocate", "-l", Integer.toString(LENGTH), file);
      Tools.run("fallocate", "--keep-size", "-o", "100", "-l", "5", file);

      assertThat(Tools.attempt("fallocate", "-l", Integer.toString(LENGTH + 1), file).output())
          .endsWith("File too large");
      assertThat(Tools.attempt("fallocate", "-c", "-l", "4096", file).output())
          .contains("not supported");
      assertThat(mounted.file()).hasBinaryContent(bytes(LENGTH, 1));
    }
  }

  @Test
  void resizableDiskBehavesAsAPlainFile() throws Exception {
    try (MountedDisk mounted = mount(RawDisks.openResizable(image))) {
      Tools.run("cp", source.toString(), mounted.file().toString());
      assertThat(mounted.file()).hasBinaryContent(bytes(LENGTH / 2, 2));

      Tools.run("sh", "-c", "printf abc > " + mounted.file() + "; printf de >> " + mounted.file());
      assertThat(mounted.file()).hasContent("abcde");

      Tools.run("truncate", "-s", "1000000", mounted.file().toString());
      Tools.run("fallocate", "-l", "2000000", mounted.file().toString());
      assertThat(Files.size(mounted.file())).isEqualTo(2_000_000);
    }

    assertThat(Files.size(image)).isEqualTo(2_000_000);
  }

  @Test
  void modificationTimeMovesOnlyWithTheData() throws Exception {
    FileTime old = FileTime.from(1_000_000_000, TimeUnit.SECONDS);
    Files.setLastModifiedTime(image, old);
    try (MountedDisk mounted = mount()) {
      assertThat(Files.getLastModifiedTime(mounted.file())).isEqualTo(old);
      assertThat(mounted.file()).hasBinaryContent(bytes(LENGTH, 1));
      assertThat(Files.getLastModifiedTime(mounted.file())).isEqualTo(old);

      try (FileChannel file = mounted.open(WRITE)) {
        file.write(ByteBuffer.allocate(1), 0);
        assertThat(Files.getLastModifiedTime(mounted.file())).isGreaterThan(old);
      }
    }
  }

  @Test
  void readOnlyMountRefusesEveryChange() throws Exception {
    try (MountedDisk mounted = mount(RawDisks.openReadOnly(image))) {
      assertThat(mounted.file()).hasBinaryContent(bytes(LENGTH, 1));
      assertThat(Tools.run("stat", "-c", "%a", mounted.file().toString())).isEqualTo("400");
      assertThatThrownBy(() -> mounted.open(WRITE))
          .isInstanceOf(FileSystemException.class)
          .hasMessageEndingWith("Read-only file system");
      assertThat(Tools.attempt("touch", mounted.file().resolveSibling("x").toString()).output())
          .endsWith("Read-only file system");
    }
  }

  @Test
  void regularFileBecomesTheDisk() throws Exception {
    Path place = Files.createFile(folder.resolve("place"));
    BlockBackend disk = RawDisks.open(image);
    MountOptions options = MountedDisk.options(disk, transport);
    try (MountedDisk mounted = MountedDisk.onFile(place, disk, options)) {
      Tools.run("cp", source.toString(), place.toString());

      assertThat(place).hasBinaryContent(overwritten());
      assertThat(mounted.mount().path()).isEqualTo(place.toRealPath().toString());
    }

    assertThat(place).isEmptyFile();
    assertThat(image).hasBinaryContent(overwritten());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "touch new",
        "mkdir new",
        "mknod new p",
        "ln -s disk.raw new",
        "ln disk.raw new",
        "mv disk.raw new",
        "rm disk.raw",
        "touch disk.raw",
        "chmod 666 disk.raw",
        "chown 1:1 disk.raw",
      })
  void directoryAndOwnersCannotBeChanged(String command) throws Exception {
    try (MountedDisk mounted = mount()) {
      String directory = mounted.file().getParent().toString();

      Tools.Result result = Tools.attempt("sh", "-c", "cd " + directory + " && " + command);

      assertThat(result.output()).contains("Operation not permitted");
      assertThat(Tools.run("ls", "-a", directory)).isEqualTo(".\n..\ndisk.raw");
    }
  }
}
