// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.OpenOptions;
import java.io.IOException;

/**
 * The way in.
 *
 * <pre>{@code
 * try (BlockBackend disk = BlockLayer.open(OpenOptions.of("disk.qcow2").withReadOnly(true))) {
 *   ByteBuffer firstSector = ByteBuffer.allocateDirect(512);
 *   disk.read(0, firstSector);
 * }
 * }</pre>
 */
public final class BlockLayer {
  private BlockLayer() {}

  /**
   * Opens an image and everything below it.
   *
   * @param options which image and how
   * @return the disk; the caller closes it
   * @throws IOException if anything of the chain cannot be opened; nothing stays open then
   */
  public static BlockBackend open(OpenOptions options) throws IOException {
    throw new BlockException(BlockError.NOT_SUPPORTED, "cannot open " + options.image());
  }

  /**
   * Creates an image, overwriting what the name held.
   *
   * @param name where; a file name, {@code file:NAME} or {@code host_device:NAME}
   * @param format driver name, such as {@code qcow2} or {@code raw}
   * @param options length, backing file and the driver's own options; a negative length means the
   *     backing file's
   * @throws IOException if it cannot be created
   */
  public static void create(String name, String format, CreateOptions options) throws IOException {
    throw new BlockException(BlockError.NOT_SUPPORTED, "cannot create " + name);
  }
}
