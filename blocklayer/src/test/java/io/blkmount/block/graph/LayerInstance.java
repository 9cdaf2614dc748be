// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.graph;

import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.request.PipelineOptions;
import io.blkmount.block.request.RequestPipeline;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A layer whose extents the test gives, and which tells when it is closed. */
final class LayerInstance extends ForwardingInstance {
  private final List<Extent> extents;
  private final String name;
  private final List<String> closed;
  private boolean failing;
  private boolean faulty;

  private LayerInstance(String name, long length, List<String> closed, List<Extent> extents) {
    super(MemoryInstance.ofLength(length));
    this.name = name;
    this.closed = closed;
    this.extents = extents;
  }

  static BlockNode node(String name, long length, Extent... extents) {
    return node(new LayerInstance(name, length, new ArrayList<>(), List.of(extents)), List.of());
  }

  static BlockNode closing(String name, List<String> closed, BlockNode... files) {
    List<BlockChild> children = new ArrayList<>();
    for (BlockNode file : files) {
      children.add(new BlockChild(ChildRole.FILE, file, PermissionSet.READ_ONLY));
    }
    return node(new LayerInstance(name, 512, closed, List.of()), children);
  }

  private static BlockNode node(LayerInstance layer, List<BlockChild> children) {
    RequestPipeline pipeline = new RequestPipeline(layer, PipelineOptions.readOnly(layer.name));
    return new BlockNode(layer.name, layer.name, "layer", pipeline, children);
  }

  /** Makes the node's close fail. */
  static BlockNode failing(BlockNode node) {
    ((LayerInstance) node.instance()).failing = true;
    return node;
  }

  /** Makes the node's close fail by a fault of ours. */
  static void faulty(BlockNode node) {
    ((LayerInstance) node.instance()).faulty = true;
  }

  @Override
  protected void before(Call call) {}

  @Override
  public Extent extentAt(long offset, long maxLength) {
    for (Extent extent : extents) {
      if (extent.offset() <= offset && offset < extent.end()) {
        long skipped = offset - extent.offset();
        long host =
            extent.hostOffset() == Extent.NO_HOST_OFFSET
                ? Extent.NO_HOST_OFFSET
                : extent.hostOffset() + skipped;
        return new Extent(extent.kind(), offset, extent.length() - skipped, host, 0)
            .limitedTo(maxLength);
      }
    }
    throw new AssertionError(name + " has no extent at " + offset);
  }

  @Override
  public void close() throws IOException {
    closed.add(name);
    super.close();
    if (faulty) {
      throw new IllegalStateException(name + " is wrong");
    }
    if (failing) {
      throw new IOException(name + " fails");
    }
  }
}
