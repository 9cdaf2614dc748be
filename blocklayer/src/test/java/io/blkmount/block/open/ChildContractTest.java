// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.graph.BlockChild;
import io.blkmount.block.graph.PermissionSet;
import io.blkmount.block.testing.BlockIoContract;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.io.TempDir;

/** The edges of real chains keep the contract of byte I/O. */
final class ChildContractTest {
  @TempDir Path directory;
  private final List<OpenedImage> opened = new ArrayList<>();

  @AfterEach
  void closeAll() throws IOException {
    for (OpenedImage image : opened) {
      image.graph().close();
    }
  }

  private BlockIo edge(OpenOptions options) throws IOException {
    OpenedImage image = ImageOpener.open(options);
    opened.add(image);
    return new BlockChild(ChildRole.FILE, image.top(), PermissionSet.ALL);
  }

  private OpenOptions raw(byte[] content) throws IOException {
    Path file = Files.write(directory.resolve("disk" + opened.size()), content);
    return OpenOptions.of(file.toString()).withFormat("raw");
  }

  @Nested
  class RawFile extends BlockIoContract {
    @Override
    protected BlockIo open(byte[] content) throws IOException {
      return edge(raw(content));
    }

    @Override
    protected boolean grows() {
      return true;
    }
  }

  @Nested
  class RawFileWithoutPageCache extends BlockIoContract {
    @Override
    protected BlockIo open(byte[] content) throws IOException {
      return edge(raw(content).withCache(CacheMode.NONE));
    }

    @Override
    protected boolean grows() {
      return true;
    }
  }

  @Nested
  class Overlay extends BlockIoContract {
    @Override
    protected BlockIo open(byte[] content) throws IOException {
      String base = raw(content).image();
      CreateOptions options = new CreateOptions(-1, new BackingReference(base, "raw"), Map.of());
      ImageCreator.create(base + ".qcow2", "qcow2", options);
      return edge(OpenOptions.of(base + ".qcow2"));
    }
  }

  @Nested
  class TemporaryOne extends BlockIoContract {
    @Override
    protected BlockIo open(byte[] content) throws IOException {
      return edge(raw(content).withSnapshot(true));
    }
  }
}
