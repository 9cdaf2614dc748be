// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How large the requests are that a program's calls arrive as. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class RequestSizeTest {
  private static final int LENGTH = 4 << 20;

  @TempDir Path folder;
  private final RecordingInstance host = new RecordingInstance(MemoryInstance.ofLength(LENGTH));

  private MountedDisk mount(String transport) throws IOException {
    BlockBackend disk = MemoryDisks.over(host);
    return MountedDisk.on(folder.resolve("mnt"), disk, MountedDisk.options(disk, transport));
  }

  /** libfuse 2 takes no more than 128 KiB at a time. */
  @ParameterizedTest(name = "{0}: {1} bytes")
  @CsvSource({"channel, 1048576", "jnr-fuse, 131072"})
  void directRequestsAreAsLargeAsTheTransportTakes(String transport, int size) throws Exception {
    try (MountedDisk mounted = mount(transport)) {
      String file = mounted.file().toString();
      host.clear();

      Tools.run("dd", "if=/dev/zero", "of=" + file, "bs=1M", "count=4", "oflag=direct");

      assertThat(host.calls(Kind.WRITE))
          .hasSize(LENGTH / size)
          .allMatch(call -> call.length() == size);
    }
  }

  @ParameterizedTest(name = "{0}: {1} bytes")
  @CsvSource({"channel, 1048576", "jnr-fuse, 131072"})
  void directReadsAreAsLargeToo(String transport, int size) throws Exception {
    try (MountedDisk mounted = mount(transport)) {
      host.clear();

      Tools.run("dd", "if=" + mounted.file(), "of=/dev/null", "bs=1M", "iflag=direct");

      assertThat(host.calls(Kind.READ))
          .hasSize(LENGTH / size)
          .allMatch(call -> call.length() == size);
    }
  }

  /** What a cached file is read ahead by is the kernel's choice; it must be allowed to choose. */
  @Test
  void cachedReadsAreReadAhead() throws Exception {
    try (MountedDisk mounted = mount("channel")) {
      host.clear();

      Tools.run("dd", "if=" + mounted.file(), "of=/dev/null", "bs=4k");

      assertThat(host.calls(Kind.READ)).hasSizeLessThanOrEqualTo(LENGTH / (64 << 10));
    }
  }
}
