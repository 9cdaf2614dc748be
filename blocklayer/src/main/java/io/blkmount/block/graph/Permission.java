// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.graph;

/** What a parent may do to a child; QEMU's permissions of the same names. */
public enum Permission {
  /** Reads see what was written. */
  CONSISTENT_READ,
  /** Writes of any bytes. */
  WRITE,
  /** Writes that do not change what the child's guest sees. */
  WRITE_UNCHANGED,
  /** Changes of the length. */
  RESIZE
}
