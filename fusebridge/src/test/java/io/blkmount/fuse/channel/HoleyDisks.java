// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import io.blkmount.fuse.MemoryDisks;
import io.blkmount.fuse.RawDisks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** Four disks, one with holes and one of each kind of size and access, served and open. */
final class HoleyDisks implements AutoCloseable {
  static final int CLUSTER = 65_536;
  static final int LENGTH = 8 * CLUSTER;

  static final int PUNCH_HOLE = 0x3; // and KEEP_SIZE, which has to go with it

  final FakeKernel kernel = new FakeKernel();

  /** A qcow2 image with data in its second cluster and from its sixth on; else holes. */
  final BlockBackend sparseDisk;

  /** Gives the space of its holes back to the host. */
  final BlockBackend fullDisk;

  final BlockBackend resizableDisk;
  final BlockBackend readOnlyDisk;

  final FakeKernel.Handle sparse;
  final FakeKernel.Handle full;
  final FakeKernel.Handle resizable;
  final FakeKernel.Handle readOnly;

  private final RequestServer server;

  HoleyDisks(Path folder) throws IOException {
    String qcow2 = folder.resolve("sparse.qcow2").toString();
    BlockLayer.create(qcow2, "qcow2", CreateOptions.ofLength(LENGTH));
    sparseDisk = BlockLayer.open(OpenOptions.of(qcow2));
    sparseDisk.write(CLUSTER, Images.bytes(CLUSTER, 7));
    sparseDisk.write(5 * CLUSTER, Images.bytes(3 * CLUSTER, 8));
    fullDisk = openUnmapping(RawDisks.create(folder.resolve("full.img"), LENGTH, 1));
    resizableDisk =
        RawDisks.openResizable(RawDisks.create(folder.resolve("resizable.img"), LENGTH, 2));
    readOnlyDisk =
        RawDisks.openReadOnly(RawDisks.create(folder.resolve("readonly.img"), LENGTH, 3));
    server = kernel.server(MemoryDisks.serve(sparseDisk, fullDisk, resizableDisk, readOnlyDisk));
    sparse = kernel.open(server, 2, 2);
    full = kernel.open(server, 3, 2);
    resizable = kernel.open(server, 4, 2);
    readOnly = kernel.open(server, 5, 0);
  }

  private static BlockBackend openUnmapping(Path image) throws IOException {
    OpenOptions options = OpenOptions.of(image.toString()).withFormat("raw");
    return BlockLayer.open(options.withDiscard(DiscardMode.UNMAP));
  }

  KernelReply call(KernelRequest request) {
    return kernel.call(server, request);
  }

  KernelReply allocate(FakeKernel.Handle handle, int mode, long offset, long length) {
    return call(KernelRequest.allocate(handle.inode(), handle.number(), mode, offset, length));
  }

  /** Returns all that a disk shows. */
  static ByteBuffer content(BlockBackend disk) throws IOException {
    ByteBuffer content = ByteBuffer.allocateDirect((int) disk.length());
    disk.read(0, content);
    return content.flip();
  }

  @Override
  public void close() throws IOException {
    kernel.close();
    sparseDisk.close();
    fullDisk.close();
    resizableDisk.close();
    readOnlyDisk.close();
  }
}
