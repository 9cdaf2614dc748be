// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ReadaheadTest {
  @TempDir Path folder;

  @Test
  void kernelReadsOneLargeRequestAhead() throws Exception {
    assumeTrue(HostCalls.isRoot(), "only root may say how far");
    Path image = RawDisks.create(folder.resolve("disk.img"), 4096);
    try (MountedDisk mounted = MountedDisk.on(folder.resolve("mnt"), RawDisks.open(image))) {
      Path setting = Path.of("/sys/class/bdi", mounted.mount().device(), "read_ahead_kb");

      assertThat(Files.readString(setting)).isEqualTo("1024\n");
    }
  }

  @Test
  void deviceThatIsNotThereIsNoFailure() {
    Readahead.widen("0:no-such-device");

    assertThat(Path.of("/sys/class/bdi/0:no-such-device")).doesNotExist();
  }
}
