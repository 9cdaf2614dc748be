// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A raw file that the kernel reads and writes by itself, as it does unless something forbids it.
 */
final class PassthroughTest {
  private static final int LENGTH = 4 << 20;

  /** Names, attributes and openings; far less than the disk. */
  private static final int LITTLE = 256 << 10;

  @RegisterExtension final Workbench bench = new Workbench("channel");

  private Path image;
  private MountedImage mount;
  private long movedBefore;

  @BeforeEach
  void mountARawFile() throws IOException {
    assumeTrue(Transports.includeChannel() && ServedRawTest.isRoot());
    image = bench.randomFile("disk.img", LENGTH, 1);
    mount = bench.mount("--passthrough=on", "-f", "raw", image);
    assertThat(mount.remarks()).isEmpty();
    movedBefore = mount.bytesMoved();
  }

  private void requireNothingMoved() {
    assertThat(mount.bytesMoved() - movedBefore).as("bytes by the server").isLessThan(LITTLE);
  }

  private FileChannel open(StandardOpenOption... options) throws IOException {
    return FileChannel.open(mount.disk(), options);
  }

  private static ByteBuffer read(FileChannel file, long offset, int length) throws IOException {
    ByteBuffer target = ByteBuffer.allocate(length);
    assertThat(file.read(target, offset)).isEqualTo(length);
    return target.flip();
  }

  @Test
  void bytesGoBetweenTheKernelAndTheFile() throws IOException {
    Path source = bench.randomFile("source", LENGTH, 2);

    Contents.requireSame(image, mount.disk());
    Shell.bash("dd if=$1 of=$2 bs=64k conv=notrunc status=none", source, mount.disk());
    Contents.requireSame(source, image);
    Contents.requireSame(source, mount.disk());
    Shell.bash(
        "dd if=/dev/zero of=$1 bs=1M count=2 oflag=direct conv=notrunc status=none;"
            + " dd if=$1 iflag=direct bs=1M count=2 status=none | cmp - <(head -c 2M /dev/zero)",
        mount.disk());

    Shell.bash("cmp -n 2M $1 /dev/zero && cmp -i 2M $1 $2", image, source);
    requireNothingMoved();
  }

  @Test
  void mappingsAreMappingsOfTheFile() {
    Shell.run(
            "xfs_io",
            "-c",
            "mmap -rw 0 4m",
            "-c",
            "mread 0 4m",
            "-c",
            "mwrite -S 7 12345 1000000",
            "-c",
            "msync -s",
            mount.disk())
        .requireSuccess();

    Shell.bash("cmp -i 12345:0 -n 1000000 $1 <(head -c 1M /dev/zero | tr '\\0' '\\007')", image);
    requireNothingMoved();
  }

  @Test
  void openingsOfAnyKindShareTheFile() throws IOException {
    ByteBuffer block = ByteBuffer.wrap(Contents.random(4096, 3));
    for (int again = 0; again < 3; again++) {
      long offset = again * 8192L;
      try (FileChannel reader = open(StandardOpenOption.READ);
          FileChannel writer = open(StandardOpenOption.WRITE);
          FileChannel both = open(StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        assertThat(writer.write(block.duplicate(), offset)).isEqualTo(4096);
        assertThat(both.write(block.duplicate(), offset + 4096)).isEqualTo(4096);
        writer.close();

        assertThat(read(reader, offset, 4096)).isEqualTo(block);
        assertThat(read(both, offset + 4096, 4096)).isEqualTo(block);
      }
    }

    requireNothingMoved();
    mount.unmountByCommand();
    Locks.requireReleased(image);
  }

  @Test
  void attributesFollowTheFile() throws IOException {
    Path sparse = bench.path("sparse.img");
    Shell.run("truncate", "-s", "64M", sparse).requireSuccess();
    MountedImage other = bench.mount("-f", "raw", sparse);

    for (int offset = 0; offset < 64; offset += 16) {
      Shell.run("xfs_io", "-c", "pwrite " + offset + "m 1m", other.disk()).requireSuccess();
      Shell.bash(
          "test \"$(stat -c '%s %b %y' $1)\" = \"$(stat -c '%s %b %y' $2)\"", sparse, other.disk());
    }
  }

  /** A fixed size is kept by what is asked of us; a write past the end is not. */
  @Test
  void truncateIsRefusedAndAWritePastTheEndGrowsTheFile() throws IOException {
    for (String length : new String[] {"0", "1M", "8M"}) {
      Shell.Result result = Shell.run("truncate", "--size=" + length, mount.disk());
      assertThat(result.errors()).contains("Operation not permitted");
    }
    assertThat(Shell.run("fallocate", "-l", "8M", mount.disk()).errors()).contains("too large");
    assertThat(mount.disk()).hasSize(LENGTH);

    Shell.run("xfs_io", "-c", "pwrite -S 9 5m 1000", mount.disk()).requireSuccess();

    long grown = (5 << 20) + 1000;
    assertThat(mount.disk()).hasSize(grown);
    assertThat(image).hasSize(grown);
    Contents.requireSame(image, mount.disk());
  }

  @Test
  void holesAreSeenByReadersOfTheFile() throws IOException {
    try (FileChannel reader = open(StandardOpenOption.READ)) {
      assertThat(read(reader, 1 << 20, 4096).array()).isEqualTo(expectedBlock(1 << 20));

      Shell.run("fallocate", "--punch-hole", "-o", "1M", "-l", "1M", mount.disk()).requireSuccess();

      assertThat(read(reader, 1 << 20, 4096).array()).containsOnly(0);
    }
    Contents.requireSame(image, mount.disk());
    String seeks = Shell.run("xfs_io", "-r", "-c", "seek -a -r 0", image).requireSuccess();
    assertThat(Shell.run("xfs_io", "-r", "-c", "seek -a -r 0", mount.disk()).requireSuccess())
        .isEqualTo(seeks);
  }

  private static byte[] expectedBlock(int offset) {
    return Arrays.copyOfRange(Contents.random(LENGTH, 1), offset, offset + 4096);
  }

  /** It is the kernel that has the file, and with it the locks, for as long as it is mounted. */
  @Test
  void handlesOutliveAKilledServerAndSoDoTheLocks() throws IOException {
    ByteBuffer block = ByteBuffer.wrap(Contents.random(4096, 4));
    try (FileChannel file = open(StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      mount.kill();

      assertThat(file.write(block.duplicate(), 8192)).isEqualTo(4096);
      assertThat(read(file, 8192, 4096)).isEqualTo(block);
      Locks.requireHeld(image);
    }
    assertThat(Arrays.copyOfRange(Files.readAllBytes(image), 8192, 12_288))
        .isEqualTo(block.array());
    Shell.run("umount", mount.mountPoint()).requireSuccess();
    Locks.requireReleased(image);
  }

  @Test
  void locksAreHeldWhileItIsMountedAndGoWithIt() {
    Locks.requireHeld(image);

    mount.unmount();

    Locks.requireReleased(image);
  }
}
