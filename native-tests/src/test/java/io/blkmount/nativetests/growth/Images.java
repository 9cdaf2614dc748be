// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.growth;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Makes and opens the qcow2 images that are measured. */
final class Images {
  static final int CLUSTER = 65536;
  static final int BLOCK = 4096;

  private Images() {}

  static void create(Path file, long length, @Nullable Path backing, Map<String, String> options)
      throws IOException {
    BackingReference below =
        backing == null ? null : new BackingReference(backing.toString(), "qcow2");
    BlockLayer.create(file.toString(), "qcow2", new CreateOptions(length, below, options));
  }

  static BlockBackend open(Path file, boolean readOnly) throws IOException {
    return BlockLayer.open(
        OpenOptions.of(file.toString()).withFormat("qcow2").withReadOnly(readOnly));
  }

  /** Writes one block that is not zero at the start of each of some clusters. */
  static void writeBlocks(Path file, long[] clusters) throws IOException {
    ByteBuffer block = ByteBuffer.allocateDirect(BLOCK).putLong(0, 1);
    try (BlockBackend disk = open(file, false)) {
      for (long cluster : clusters) {
        disk.write(cluster * CLUSTER, block.clear());
      }
    }
  }
}
