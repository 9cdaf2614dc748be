// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.graph;

import io.blkmount.block.driver.Backed;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.request.RequestPipeline;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One opened image or host file: a driver's instance behind its request pipeline. */
public final class BlockNode {
  private final String name;
  private final String imageName;
  private final String driverName;
  private final RequestPipeline pipeline;
  private final List<BlockChild> storage;
  private volatile @Nullable BlockChild backing;

  /**
   * Creates a node without a backing child.
   *
   * @param name unique in its graph
   * @param imageName the file name for messages
   * @param driverName QEMU's name of the driver
   * @param pipeline in front of the driver's instance
   * @param storage the children that the driver was handed when it opened
   */
  public BlockNode(
      String name,
      String imageName,
      String driverName,
      RequestPipeline pipeline,
      List<BlockChild> storage) {
    this.name = name;
    this.imageName = imageName;
    this.driverName = driverName;
    this.pipeline = pipeline;
    this.storage = List.copyOf(storage);
  }

  /** Returns the name that is unique in the graph. */
  public String name() {
    return name;
  }

  /** Returns the file name for messages. */
  public String imageName() {
    return imageName;
  }

  /** Returns QEMU's name of the driver. */
  public String driverName() {
    return driverName;
  }

  /** Returns the way in for requests. */
  public RequestPipeline pipeline() {
    return pipeline;
  }

  /** Returns whether each request has to pass here, because of what is done with it. */
  public boolean looksAtRequests() {
    return pipeline.looksAtRequests();
  }

  /** Returns the driver's side; its data methods belong to the pipeline. */
  public DriverInstance instance() {
    return pipeline.instance();
  }

  /** Returns the children that hold this node's own bytes: none for a host file. */
  public List<BlockChild> storage() {
    return storage;
  }

  /** Returns the backing child, or null. */
  public @Nullable BlockChild backing() {
    return backing;
  }

  /**
   * Puts {@code base} below this node, or takes what is there away.
   *
   * @param base the node to read from what this one does not hold, or null
   */
  public void attachBacking(@Nullable BlockNode base) {
    pipeline.drain();
    BlockChild child =
        base == null ? null : new BlockChild(ChildRole.BACKING, base, PermissionSet.READ_ONLY);
    backing = child;
    if (instance() instanceof Backed backed) {
      backed.attachBacking(child);
    }
    pipeline.attachBacking(base == null ? null : base.pipeline());
  }

  @Override
  public String toString() {
    return name + " (" + driverName + ", " + imageName + ")";
  }
}
