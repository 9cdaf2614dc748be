// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.io.IOException;
import java.util.List;

/**
 * An image that keeps snapshots inside itself. A driver's instance has no request in flight while
 * one of these calls runs; who calls sees to that.
 *
 * <p>A snapshot is named by its id or, where no id is the same, by its name: the first one of the
 * list that has it. Each change is durable when the call returns; one that fails, or that a power
 * cut ends, has changed nothing at all.
 */
public interface Snapshottable {
  /**
   * Returns the snapshots in the order of the image's list.
   *
   * @throws IOException if the list cannot be read or is damaged
   */
  List<InternalSnapshot> snapshots() throws IOException;

  /**
   * Keeps the disk as it is now. Another snapshot of the same name is no obstacle.
   *
   * @param snapshot name and date
   * @return what is in the list now
   * @throws IOException with {@code TOO_BIG} if the image has as many snapshots as it can have,
   *     {@code NAME_TOO_LONG}, {@code INVALID} if a cluster would be shared more often than the
   *     image can count, {@code NO_SPACE}, {@code NOT_SUPPORTED}
   */
  InternalSnapshot createSnapshot(NewSnapshot snapshot) throws IOException;

  /**
   * Makes the disk what it was when a snapshot was taken, its length too. The snapshot stays.
   *
   * @param idOrName which
   * @throws IOException with {@code NOT_FOUND}, {@code NO_SPACE}, {@code NOT_SUPPORTED}
   */
  void applySnapshot(String idOrName) throws IOException;

  /**
   * Forgets a snapshot and frees what nothing else uses.
   *
   * @param idOrName which
   * @throws IOException with {@code NOT_FOUND}, {@code NO_SPACE}, {@code NOT_SUPPORTED}
   */
  void deleteSnapshot(String idOrName) throws IOException;
}
