// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.testing.DriverContract;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.io.TempDir;

/** The contract of drivers, held by host files of every kind. */
final class HostFileContractTest {
  @Nested
  class Buffered extends OnDisk {
    Buffered() {
      super(Map.of());
    }
  }

  @Nested
  class Direct extends OnDisk {
    Direct() {
      super(Map.of("cache.direct", "on"));
    }
  }

  /** A file system without ZERO_RANGE. */
  @Nested
  class InMemory extends OnDisk {
    @TempDir(factory = SharedMemory.class)
    Path memory;

    InMemory() {
      super(Map.of());
    }

    @Override
    Path path() {
      return memory.resolve("disk.raw");
    }
  }

  abstract static class OnDisk extends DriverContract {
    @TempDir Path directory;
    private final Map<String, String> options;

    OnDisk(Map<String, String> options) {
      this.options = options;
    }

    Path path() {
      return directory.resolve("disk.raw");
    }

    @Override
    protected DriverInstance open(long length) throws IOException {
      Files.deleteIfExists(path());
      HostFiles.create(path().toString(), true);
      HostFile file = HostImages.open(path().toString(), true, options);
      file.truncate(length, Preallocation.OFF);
      return file;
    }

    @Override
    protected DriverInstance reopen(DriverInstance closed) throws IOException {
      return HostImages.open(path().toString(), true, options);
    }
  }
}
