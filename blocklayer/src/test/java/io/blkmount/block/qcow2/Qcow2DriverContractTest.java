// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.testing.DriverContract;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Nested;

/** The driver keeps the contract of all drivers, at several cluster sizes and in both versions. */
final class Qcow2DriverContractTest {
  abstract static class Contract extends DriverContract {
    private final ImageShape shape;
    private MemoryInstance host;

    Contract(ImageShape shape) {
      this.shape = shape;
    }

    @Override
    protected DriverInstance open(long length) throws IOException {
      host = MemoryInstance.file(shape.create(), 1);
      return open();
    }

    private DriverInstance open() throws IOException {
      DriverOptions options = new DriverOptions("contract.qcow2", true, Map.of(), TestKey.SOURCE);
      return new Qcow2Driver().open(options, new MemoryChild(host).opener());
    }

    @Override
    protected DriverInstance reopen(DriverInstance closed) throws IOException {
      return open();
    }
  }

  @Nested
  final class SmallClusters extends Contract {
    SmallClusters() {
      super(ImageShape.of(512, LENGTH));
    }
  }

  @Nested
  final class UsualClusters extends Contract {
    UsualClusters() {
      super(ImageShape.of(65536, LENGTH));
    }
  }

  @Nested
  final class LargeClusters extends Contract {
    LargeClusters() {
      super(ImageShape.of(2 << 20, 5 * LENGTH));
    }
  }

  @Nested
  final class Subclusters extends Contract {
    Subclusters() {
      super(ImageShape.of(65536, LENGTH).withExtendedL2());
    }
  }

  @Nested
  final class Version2 extends Contract {
    Version2() {
      super(ImageShape.of(4096, LENGTH).withVersion2());
    }
  }

  @Nested
  final class Luks extends Contract {
    Luks() {
      super(ImageShape.of(4096, LENGTH).withEncryption("luks"));
    }
  }

  @Nested
  final class Aes extends Contract {
    Aes() {
      super(ImageShape.of(65536, LENGTH).withVersion2().withEncryption("aes"));
    }
  }
}
