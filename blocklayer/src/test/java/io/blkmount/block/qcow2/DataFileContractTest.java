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
    private final String options;
    private ImageFiles files;

    Contract(String options) {
      this.options = options;
    }

    @Override
    protected DriverInstance open(long length) throws IOException {
      MemoryInstance file = MemoryInstance.ofLength(0);
      files = ImageFiles.create(file, MemoryInstance.ofLength(0), length, options);
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
      super("cluster_size=512");
    }
  }

  @Nested
  final class UsualClusters extends Contract {
    UsualClusters() {
      super("cluster_size=64k");
    }
  }

  @Nested
  final class RawWithSmallClusters extends Contract {
    RawWithSmallClusters() {
      super("cluster_size=512,data_file_raw=on");
    }
  }

  @Nested
  final class RawWithUsualClusters extends Contract {
    RawWithUsualClusters() {
      super("cluster_size=64k,data_file_raw=on");
    }
  }

  @Nested
  final class Subclusters extends Contract {
    Subclusters() {
      super("cluster_size=64k,extended_l2=on");
    }
  }

  @Nested
  final class RawWithSubclusters extends Contract {
    RawWithSubclusters() {
      super("cluster_size=64k,data_file_raw=on,extended_l2=on");
    }
  }
}
