// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Opens the children that a driver asks for by their role; the only way from a driver to a node.
 */
public interface ChildOpener {
  /**
   * Opens (or finds already open) the child of one role.
   *
   * @param role {@code FILE} or {@code DATA}; the backing file is attached later, see {@link
   *     Backed}
   * @return byte I/O on the child, growable if the child's file is and the node is writable
   * @throws IOException if it cannot be opened
   */
  Child open(ChildRole role) throws IOException;

  /**
   * Opens the child of the role {@code DATA}: the file in which an image keeps its guest data.
   *
   * @param name as the image spells it, decoded by {@code HostName}; null if it gives none
   * @return as for {@link #open}
   * @throws IOException if it cannot be opened, or nobody knows its name
   */
  default Child openData(@Nullable String name) throws IOException {
    throw new BlockException(BlockError.NOT_SUPPORTED, "an external data file cannot be opened");
  }

  /** A child as its driver sees it: byte I/O, plus what only owners of a file do. */
  interface Child extends BlockIo {
    /** Returns what the child's driver can do. */
    Support support();

    /** Returns the child's limits, for a driver that wants to match them. */
    BlockLimits limits();

    /** Returns the name for messages: the file name, or the node name. */
    String name();

    /**
     * Changes the child's length.
     *
     * @param length new length in bytes
     * @param preallocation what to do with new space
     * @throws IOException if it cannot
     */
    void truncate(long length, Preallocation preallocation) throws IOException;

    /**
     * Makes sure that later writes to a range need no new space. Past the end of a growable child
     * too, whose length stays as it is.
     *
     * @param offset in bytes
     * @param length in bytes
     * @throws IOException with {@code NOT_SUPPORTED} if the host cannot, {@code NO_SPACE} if there
     *     is not enough
     */
    void reserve(long offset, long length) throws IOException;

    /**
     * Returns how many bytes the host has allocated for the child.
     *
     * @throws IOException if the host does not answer
     */
    long allocatedBytes() throws IOException;

    /**
     * Gives written bytes to the host without waiting for the medium.
     *
     * @throws IOException if a write failed
     */
    void writeBack() throws IOException;
  }
}
