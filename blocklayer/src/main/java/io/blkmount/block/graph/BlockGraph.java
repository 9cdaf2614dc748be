// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.graph;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.Rethrown;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The nodes of one opened chain, by name. Built and closed by one thread at a time; requests never
 * come here.
 */
public final class BlockGraph implements Closeable {
  private final Map<String, BlockNode> nodes = new LinkedHashMap<>();
  private int generatedNames;

  /** Creates a graph without nodes. */
  public BlockGraph() {}

  /**
   * Returns the name for a node that is about to be added.
   *
   * @param wanted what its user calls it, or null for a generated name
   * @throws BlockException if another node has that name
   */
  public String newName(@Nullable String wanted) throws BlockException {
    if (wanted == null) {
      return "#block" + generatedNames++;
    }
    if (nodes.containsKey(wanted)) {
      throw new BlockException(BlockError.INVALID, "node-name=" + wanted + ": used twice");
    }
    return wanted;
  }

  /**
   * Takes over a node; it is closed with the graph.
   *
   * @param node with a name from {@link #newName}
   */
  public void add(BlockNode node) {
    BlockNode other = nodes.putIfAbsent(node.name(), node);
    if (other != null) {
      throw new IllegalStateException("two nodes of one name: " + node + " and " + other);
    }
  }

  /** Returns the nodes in the order in which they were added. */
  public Collection<BlockNode> nodes() {
    return List.copyOf(nodes.values());
  }

  /**
   * Closes every node once, parents before their children, and forgets them. A node that fails does
   * not keep the others open, whatever it throws: an open file is a locked one.
   *
   * @throws IOException the first failure, the others suppressed in it
   */
  @Override
  public void close() throws IOException {
    List<BlockNode> order = topDown();
    nodes.clear();
    closeAll(order);
  }

  private static void closeAll(List<BlockNode> order) throws IOException {
    Throwable first = null;
    for (BlockNode node : order) {
      try {
        node.instance().close();
      } catch (IOException | RuntimeException | Error e) {
        first = joined(first, e);
      }
    }
    Rethrown.rethrow(first);
  }

  private static Throwable joined(@Nullable Throwable first, Throwable next) {
    if (first == null) {
      return next;
    }
    if (next != first) { // the JVM may throw the same object whenever memory is out
      first.addSuppressed(next);
    }
    return first;
  }

  /** Orders the nodes so that none comes before a parent of it. */
  private List<BlockNode> topDown() {
    Map<BlockNode, Integer> parentCounts = parentCounts();
    Deque<BlockNode> ready = new ArrayDeque<>();
    for (BlockNode node : nodes.values()) {
      if (!parentCounts.containsKey(node)) {
        ready.add(node);
      }
    }
    List<BlockNode> order = new ArrayList<>();
    while (!ready.isEmpty()) {
      BlockNode node = ready.remove();
      order.add(node);
      for (BlockChild child : childrenOf(node)) {
        if (parentCounts.merge(child.node(), -1, Integer::sum) == 0) {
          ready.add(child.node());
        }
      }
    }
    return order;
  }

  private Map<BlockNode, Integer> parentCounts() {
    Map<BlockNode, Integer> counts = new IdentityHashMap<>();
    for (BlockNode node : nodes.values()) {
      for (BlockChild child : childrenOf(node)) {
        counts.merge(child.node(), 1, Integer::sum);
      }
    }
    return counts;
  }

  private static List<BlockChild> childrenOf(BlockNode node) {
    List<BlockChild> children = new ArrayList<>(node.storage());
    BlockChild backing = node.backing();
    if (backing != null) {
      children.add(backing);
    }
    return children;
  }
}
