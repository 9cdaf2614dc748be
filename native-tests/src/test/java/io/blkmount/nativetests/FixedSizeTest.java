// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A disk has a length of its own, as a block device has. */
@OverBothTransports
final class FixedSizeTest {
  private static final int LENGTH = 1 << 20;

  @RegisterExtension final Workbench bench;

  private MountedImage mount;
  private Path disk;

  FixedSizeTest(String transport) {
    bench = new Workbench(transport);
  }

  @BeforeEach
  void mountADisk() throws IOException {
    mount = bench.mount(bench.qcow2("disk.qcow2", "1M"));
    disk = mount.disk();
  }

  @Test
  void aWriteAtOrPastTheEndIsEfbig() {
    for (String command : new String[] {"pwrite 1m 512", "pwrite 3m 1", "pwrite -V 1 2m 4k"}) {
      Shell.Result result = Shell.run("xfs_io", "-c", command, disk);

      assertThat(result.errors() + result.output()).contains("File too large");
    }
  }

  @Test
  void aWriteThatCrossesTheEndIsShort() throws IOException {
    try (FileChannel channel = FileChannel.open(disk, StandardOpenOption.WRITE)) {
      ByteBuffer source = ByteBuffer.wrap(Contents.random(1000, 1));

      int written = channel.write(source, LENGTH - 300);

      assertThat(written).isEqualTo(300);
    }
    assertThat(Files.size(disk)).isEqualTo(LENGTH);
  }

  @Test
  void truncateToAnotherLengthIsEpermAndTheLogNamesTheOption() {
    for (String length : new String[] {"0", "512k", "2M"}) {
      Shell.Result result = Shell.run("truncate", "--size=" + length, disk);

      assertThat(result.exitCode()).isEqualTo(1);
      assertThat(result.errors()).contains("Operation not permitted");
    }
    assertThat(mount.log()).contains("--resizable");
    assertThat(disk).hasSize(LENGTH);
  }

  @Test
  void truncateToItsOwnLengthIsFine() {
    Shell.run("truncate", "--size=1M", disk).requireSuccess();
  }

  @Test
  void openingWithTruncateChangesNothing() throws IOException {
    Shell.run("xfs_io", "-c", "pwrite -S 7 0 64k", disk).requireSuccess();
    String before = Contents.digest(disk);

    Shell.bash(": > $1", disk);

    assertThat(disk).hasSize(LENGTH);
    assertThat(Contents.digest(disk)).isEqualTo(before);
  }

  @Test
  void appendingIsEfbig() {
    Shell.Result result = Shell.tryBash("echo more >> $1", disk);

    assertThat(result.errors()).contains("File too large");
  }

  @Test
  void nothingCanBeMadeRemovedOrRenamed() {
    for (String command :
        new String[] {"touch $1/new", "rm $2", "mv $2 $1/new", "mkdir $1/new", "ln $2 $1/new"}) {
      Shell.Result result = Shell.tryBash(command, mount.mountPoint(), disk);

      assertThat(result.exitCode()).as(command).isNotZero();
    }
    assertThat(mount.disk()).isEqualTo(disk);
  }
}
