// SPDX-License-Identifier: Apache-2.0
/**
 * Nodes, the edges between them, and what follows from the shape of a chain.
 *
 * <p>Edges change only while the nodes at both ends are drained, on the thread that opens or closes
 * the chain; the I/O path reads them without a lock.
 */
@NullMarked
package io.blkmount.block.graph;

import org.jspecify.annotations.NullMarked;
