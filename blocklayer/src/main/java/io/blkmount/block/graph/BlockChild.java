// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.graph;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Set;

/** An edge: what one parent may do to the node below it. */
public final class BlockChild implements ChildOpener.Child {
  private final ChildRole role;
  private final BlockNode node;
  private final PermissionSet permissions;
  private final boolean mayWrite;

  /**
   * Creates an edge.
   *
   * @param role what the node is to its parent
   * @param node the lower end
   * @param permissions what the parent may do
   */
  public BlockChild(ChildRole role, BlockNode node, PermissionSet permissions) {
    this.role = role;
    this.node = node;
    this.permissions = permissions;
    this.mayWrite =
        permissions.granted().containsAll(Set.of(Permission.WRITE, Permission.WRITE_UNCHANGED));
  }

  /** Returns what the node is to its parent. */
  public ChildRole role() {
    return role;
  }

  /** Returns the lower end. */
  public BlockNode node() {
    return node;
  }

  @Override
  public long length() throws IOException {
    return node.pipeline().length();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    node.pipeline().read(offset, target);
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    requireWrite(flags);
    node.pipeline().write(offset, source, flags);
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) throws IOException {
    requireWrite(flags);
    node.pipeline().writeZeroes(offset, length, flags);
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    require(Permission.WRITE);
    node.pipeline().discard(offset, length);
  }

  @Override
  public Extent extentAt(long offset, long maxLength) throws IOException {
    return ChainExtents.below(node).extentAt(offset, maxLength);
  }

  @Override
  public void flush() throws IOException {
    node.pipeline().flush();
  }

  @Override
  public Support support() {
    return permissions.granted().contains(Permission.WRITE)
        ? node.pipeline().support()
        : Support.READ_ONLY;
  }

  @Override
  public BlockLimits limits() {
    return node.pipeline().limits();
  }

  @Override
  public String name() {
    return HostName.printable(node.imageName());
  }

  @Override
  public void truncate(long length, Preallocation preallocation) throws IOException {
    require(Permission.RESIZE);
    node.pipeline().truncate(length, preallocation);
  }

  @Override
  public void reserve(long offset, long length) throws IOException {
    require(Permission.WRITE_UNCHANGED);
    node.pipeline().reserve(offset, length);
  }

  @Override
  public long allocatedBytes() throws IOException {
    return node.instance().allocatedBytes();
  }

  @Override
  public void writeBack() throws IOException {
    node.pipeline().writeBack();
  }

  private void requireWrite(WriteFlags flags) throws IOException {
    if (mayWrite) {
      return;
    }
    require(flags.has(WriteFlags.UNCHANGED) ? Permission.WRITE_UNCHANGED : Permission.WRITE);
  }

  private void require(Permission permission) throws IOException {
    permissions.require(permission, node.name());
  }
}
