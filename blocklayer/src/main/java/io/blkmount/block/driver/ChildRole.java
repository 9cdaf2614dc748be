// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/** What a child node is to its parent. */
public enum ChildRole {
  /** Metadata and guest data of a format live in it: qcow2's {@code file}. */
  FILE,
  /** Only guest data lives in it: qcow2's external data file. */
  DATA,
  /** What the parent does not hold is read from it. */
  BACKING,
  /** The parent passes everything on to it. */
  FILTERED
}
