// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is opened, and what is refused with which words. */
final class HostOpeningTest {
  @TempDir Path directory;

  @Test
  void missingFileIsNotFound() {
    assertRefused(
        () -> HostImages.open(directory.resolve("disk.raw"), false),
        BlockError.NOT_FOUND,
        "cannot open \"disk.raw\": no such file");
  }

  @Test
  void directoryIsRefused() {
    assertRefused(
        () -> HostImages.open(directory.toString() + "/.", false, Map.of()),
        BlockError.IS_DIRECTORY,
        "cannot open \".\": is a directory");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  @Timeout(10)
  void pipeIsRefusedWithoutWaiting(boolean writable) throws IOException {
    Path pipe = directory.resolve("pipe");
    LoopDevice.run("mkfifo", pipe.toString());

    assertRefused(
        () -> HostImages.open(pipe, writable),
        BlockError.INVALID,
        "cannot open \"pipe\": is a named pipe, not a regular file or block device");
    assertRefused(
        () -> HostFiles.create(pipe.toString(), false),
        BlockError.INVALID,
        "cannot open \"%s\": is a named pipe, not a regular file or block device".formatted(pipe));
  }

  @ParameterizedTest
  @CsvSource({
    "/dev/zero,'zero\": is a character device, not a regular file or block device'",
    "/proc/self/mem,'mem\": is a file that the kernel makes up'",
    "/sys/kernel/uevent_seqnum,'uevent_seqnum\": is a file that the kernel makes up'"
  })
  void whatIsNoStorageIsRefused(String name, String message) {
    assertRefused(
        () -> HostImages.open(name, false, Map.of()),
        BlockError.INVALID,
        "cannot open \"" + message);
  }

  @Test
  void readOnlyFileSystemIsRefusedForWritingWithAHint() throws IOException {
    assumeTrue(LoopDevice.isPossible(), "needs root to mount");
    LoopDevice.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory.toString());
    try {
      Path path = Files.createFile(directory.resolve("disk.raw"));
      LoopDevice.run("mount", "-o", "remount,ro", directory.toString());

      assertRefused(
          () -> HostImages.open(path, true),
          BlockError.READ_ONLY,
          "cannot open \"disk.raw\" for writing: read-only file system (read-only with -r)");
      HostImages.open(path, false).close();
    } finally {
      LoopDevice.run("umount", directory.toString());
    }
  }

  static byte[][] names() {
    return new byte[][] {
      "with space".getBytes(StandardCharsets.UTF_8),
      "new\nline".getBytes(StandardCharsets.UTF_8),
      "a:b.qcow2".getBytes(StandardCharsets.UTF_8),
      "\u00e4\u4e2d\ud83d\udcbe".getBytes(StandardCharsets.UTF_8),
      {'x', (byte) 0xff, (byte) 0xc3, '.', (byte) 0x80},
    };
  }

  @ParameterizedTest
  @MethodSource("names")
  void anyNameThatTheHostAllowsWorks(byte[] bytes) throws IOException {
    String name = directory + "/" + HostName.decode(bytes);
    HostFiles.create(name, true);

    try (HostFile file = HostImages.open(name, true, Map.of())) {
      file.write(0, ByteBuffer.wrap(new byte[] {42}), WriteFlags.NONE);
    }

    String found =
        LoopDevice.run(
            "sh",
            "-c",
            "for f in \"$0\"/*; do printf %s \"${f##*/}\" | od -An -v -tx1; done",
            directory.toString());
    assertThat(found.replaceAll("\\s", "")).isEqualTo(hex(bytes));
    HostFiles.unlink(name);
    assertThat(HostFiles.exists(name)).isFalse();
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a\0b"})
  void whatIsNoNameIsNotFound(String name) {
    assertThatThrownBy(() -> HostImages.open(name, false, Map.of()))
        .hasMessageEndingWith(": not a file name");
    assertThat(HostFiles.exists(name)).isFalse();
  }

  @Test
  void descriptorIsNotInherited() throws IOException {
    Path path = Files.createFile(directory.resolve("disk.raw"));
    try (HostFile file = HostImages.open(path, true)) {
      assertThat(file.length()).isZero();
      String open = LoopDevice.run("sh", "-c", "ls -l /proc/$$/fd");
      assertThat(open).doesNotContain("disk.raw");
    }
  }

  @Test
  void optionsThatMakeNoSenseAreNamed() {
    assertThatThrownBy(() -> HostImages.open("x", false, Map.of("locking", "maybe")))
        .hasMessage("option locking=maybe: none of auto, on, off");
    assertThatThrownBy(() -> HostImages.open("x", true, Map.of("force-share", "on")))
        .hasMessage("option force-share=on is only for reading");
    assertThatThrownBy(
            () ->
                new FileDriver()
                    .open(new DriverOptions("x", false, Map.of()), HostImages.NO_CHILDREN))
        .hasMessage("option filename is missing");
  }

  @Test
  void createKeepsWhatIsThereUnlessItMustBeNew() throws IOException {
    Path path = Files.write(directory.resolve("disk.raw"), new byte[100]);

    assertRefused(
        () -> HostFiles.create(path.toString(), true),
        BlockError.INVALID,
        "cannot create \"%s\": exists already".formatted(path));
    HostFiles.create(path.toString(), false);

    assertThat(Files.size(path)).isEqualTo(100);
  }

  @Test
  void temporaryFileIsPrivateAndSurvivesItsName() throws IOException {
    String name = HostFiles.createTemporary(directory.toString(), "overlay-");
    assertThat(Files.getAttribute(Path.of(name), "unix:mode")).isEqualTo(0100600);

    try (HostFile file = HostImages.open(name, true, Map.of("cache.direct", "on"))) {
      HostFiles.unlink(name);
      file.write(3, ByteBuffer.wrap(new byte[] {1, 2, 3}), WriteFlags.NONE);

      ByteBuffer read = ByteBuffer.allocate(6);
      file.read(0, read);
      assertThat(read.array()).containsExactly(0, 0, 0, 1, 2, 3);
    }
    assertThat(directory).isEmptyDirectory();
  }

  private static void assertRefused(ThrowingCallable call, BlockError error, String message) {
    assertThatThrownBy(call)
        .hasMessage(message)
        .extracting(failure -> ((BlockException) failure).error())
        .isEqualTo(error);
  }
}
