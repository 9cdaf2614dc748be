// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BackendOptions;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.backend.FileLending;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.request.PipelineOptions;
import io.blkmount.block.request.RequestPipeline;
import java.time.InstantSource;
import java.util.List;

/** Disks over a driver of the test's choice: one that counts its calls, or that fails. */
public final class MemoryDisks {
  private MemoryDisks() {}

  /** Returns a disk of fixed size that is shown as {@code disk.raw}. */
  public static BlockBackend over(DriverInstance driver) {
    RequestPipeline pipeline = new RequestPipeline(driver, PipelineOptions.writable("disk"));
    BlockNode node = new BlockNode("disk", "disk", "memory", pipeline, List.of());
    BlockGraph graph = new BlockGraph();
    graph.add(node);
    FileLending lending = FileLending.none("it is in memory");
    BackendOptions options = new BackendOptions("disk", "memory", false, false, 5, lending);
    return new BlockBackend(graph, node, options, InstantSource.system());
  }

  /** Returns disks as a mount shows them: inode 2, 3 and so on, of user 12 and group 34. */
  public static ServedTree serve(BlockBackend... disks) {
    return ServedTree.of(ExportTree.directory(List.of(disks)), MountOptions.of("disk", 12, 34));
  }
}
