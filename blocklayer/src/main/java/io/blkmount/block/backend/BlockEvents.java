// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import io.blkmount.block.driver.DamageReporter;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Brings what happens in any node of a chain to those who listen to the disk. */
final class BlockEvents {
  private final List<DeviceListener> listeners = new CopyOnWriteArrayList<>();

  BlockEvents(BlockGraph graph) {
    for (BlockNode node : graph.nodes()) {
      if (node.instance() instanceof DamageReporter image) {
        image.onDamage(new Node(this, node.imageName()));
      }
    }
  }

  void add(DeviceListener listener) {
    listeners.add(listener);
  }

  private record Node(BlockEvents events, String imageName)
      implements DamageReporter.DamageListener {
    @Override
    public void damaged(String message, boolean fatal) {
      ImageCorrupted event = new ImageCorrupted(imageName, message, fatal);
      for (DeviceListener each : events.listeners) {
        each.imageCorrupted(event);
      }
    }
  }
}
