// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.graph;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.EnumSet;
import java.util.Set;

/**
 * The permissions that one edge grants.
 *
 * @param granted what the parent may do
 */
public record PermissionSet(Set<Permission> granted) {
  /** For backing files and everything that is opened read-only. */
  public static final PermissionSet READ_ONLY =
      new PermissionSet(EnumSet.of(Permission.CONSISTENT_READ));

  /** For the file below a writable format. */
  public static final PermissionSet ALL = new PermissionSet(EnumSet.allOf(Permission.class));

  /** Copies the set. */
  public PermissionSet {
    granted = Set.copyOf(granted);
  }

  /**
   * Fails unless {@code permission} is granted.
   *
   * @param permission what is about to be done
   * @param nodeName the child, for the message
   * @throws BlockException with {@code READ_ONLY}
   */
  public void require(Permission permission, String nodeName) throws BlockException {
    if (!granted.contains(permission)) {
      throw new BlockException(
          BlockError.READ_ONLY, "node " + nodeName + " is read-only here: no " + permission);
    }
  }
}
