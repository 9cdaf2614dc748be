// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class BlockGraphTest {
  private final List<String> closed = new ArrayList<>();
  private final BlockGraph graph = new BlockGraph();

  /** Two overlays on one base, added in the order in which they are opened. */
  @BeforeEach
  void build() {
    BlockNode file = add(LayerInstance.closing("file", closed));
    BlockNode top = add(LayerInstance.closing("top", closed, file));
    BlockNode baseFile = add(LayerInstance.closing("base-file", closed));
    BlockNode base = add(LayerInstance.closing("base", closed, baseFile));
    BlockNode other = add(LayerInstance.closing("other", closed));
    top.attachBacking(base);
    other.attachBacking(base);
  }

  private BlockNode add(BlockNode node) {
    graph.add(node);
    return node;
  }

  private BlockNode node(String name) {
    return graph.nodes().stream()
        .filter(node -> node.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void nodesAreClosedOnceAndParentsFirst() throws IOException {
    graph.close();
    graph.close();

    assertThat(closed).containsExactlyInAnyOrder("file", "top", "base-file", "base", "other");
    assertThat(closed).containsSubsequence("top", "file");
    assertThat(closed).containsSubsequence("top", "base", "base-file");
    assertThat(closed).containsSubsequence("other", "base");
  }

  @Test
  void failedCloseKeepsNobodyOpenAndIsSaid() {
    LayerInstance.failing(node("top"));
    LayerInstance.failing(node("base-file"));

    assertThatThrownBy(graph::close)
        .hasMessage("top fails")
        .satisfies(
            failure ->
                assertThat(failure.getSuppressed())
                    .singleElement()
                    .extracting(Throwable::getMessage)
                    .isEqualTo("base-file fails"));
    assertThat(closed).hasSize(5);
  }

  @Test
  void faultOfOursKeepsNobodyOpen() {
    LayerInstance.faulty(node("top"));
    LayerInstance.failing(node("base"));

    assertThatThrownBy(graph::close).hasMessage("top is wrong");

    assertThat(closed).hasSize(5);
  }

  @Test
  void namesAreUnique() throws BlockException {
    assertThat(graph.newName(null)).isEqualTo("#block0");
    assertThat(graph.newName(null)).isEqualTo("#block1");
    assertThat(graph.newName("mine")).isEqualTo("mine");
    assertThatThrownBy(() -> graph.newName("base")).hasMessage("node-name=base: used twice");
  }

  @Test
  void chainGoesFromTheTopDown() {
    BackingChain chain = BackingChain.from(node("top"));

    assertThat(chain.layers()).extracting(BlockNode::name).containsExactly("top", "base");
    assertThat(chain.depth()).isEqualTo(2);
  }

  @Test
  void backingChildRefusesChanges() {
    BlockChild backing = node("top").backing();

    assertThat(backing.role()).isEqualTo(ChildRole.BACKING);
    assertThat(backing.support()).isEqualTo(Support.READ_ONLY);
    assertThatThrownBy(() -> backing.write(0, Images.bytes(1, 1), WriteFlags.NONE))
        .hasMessage("node base is read-only here: no WRITE")
        .extracting(failure -> ((BlockException) failure).error())
        .isEqualTo(BlockError.READ_ONLY);
    assertThatThrownBy(() -> backing.discard(0, 1)).isInstanceOf(BlockException.class);
    assertThatThrownBy(() -> backing.writeZeroes(0, 1, WriteFlags.NONE))
        .isInstanceOf(BlockException.class);
  }
}
