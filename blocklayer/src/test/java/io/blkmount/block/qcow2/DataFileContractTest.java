// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.testing.DriverContract;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import org.junit.jupiter.api.Nested;

/** With an external data file, raw or not, the driver keeps the contract of all drivers. */
final class DataFileContractTest {
  abstract static class Contract extends DriverContract {
    private final int clusterSize;
    private final boolean raw;
    private ImageFiles files;

    Contract(int clusterSize, boolean raw) {
      this.clusterSize = clusterSize;
      this.raw = raw;
    }

    @Override
    protected DriverInstance open(long length) throws IOException {
      MemoryInstance file = MemoryInstance.ofLength(0);
      files = ImageFiles.create(file, MemoryInstance.ofLength(0), length, clusterSize, raw);
      return files.openDriver(true);
    }

    @Override
    protected DriverInstance reopen(DriverInstance closed) throws IOException {
      return files.openDriver(true);
    }
  }

  @Nested
  final class SmallClusters extends Contract {
    SmallClusters() {
      super(512, false);
    }
  }

  @Nested
  final class UsualClusters extends Contract {
    UsualClusters() {
      super(65536, false);
    }
  }

  @Nested
  final class RawWithSmallClusters extends Contract {
    RawWithSmallClusters() {
      super(512, true);
    }
  }

  @Nested
  final class RawWithUsualClusters extends Contract {
    RawWithUsualClusters() {
      super(65536, true);
    }
  }
}
