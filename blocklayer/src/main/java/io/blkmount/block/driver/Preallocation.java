// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/** What to do with the space of a new or grown image; the names are qemu-img's. */
public enum Preallocation {
  /** Nothing: space comes when it is written. */
  OFF,
  /** Metadata only, so that no later write allocates clusters. */
  METADATA,
  /** Metadata, and space reserved in the host file system. */
  FALLOC,
  /** Metadata, and zeros written. */
  FULL
}
