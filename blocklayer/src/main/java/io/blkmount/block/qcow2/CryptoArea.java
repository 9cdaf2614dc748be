// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.crypto.HeaderArea;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.qcow2.HeaderExtensions.CryptoPointer;
import java.io.IOException;
import java.nio.ByteBuffer;

/** The clusters of an image in which its LUKS header and its key material lie. */
final class CryptoArea implements HeaderArea {
  /** What QEMU makes has 2 MiB; more could only hold us up. */
  private static final long MAX_LENGTH = 64L << 20;

  private final BlockIo file;
  private final long hostOffset;
  private final long length;

  /**
   * Creates an area.
   *
   * @param hostOffset of its first byte
   * @param length in bytes; past the end of the file are zeros
   */
  CryptoArea(BlockIo file, long hostOffset, long length) {
    this.file = file;
    this.hostOffset = hostOffset;
    this.length = length;
  }

  /**
   * Returns the area that an image's header points to.
   *
   * @throws io.blkmount.block.error.CorruptImageException if it cannot be there
   */
  static CryptoArea of(String imageName, BlockIo file, Qcow2Header header, CryptoPointer pointer)
      throws IOException {
    HeaderRules rules = HeaderRules.forExtensions(imageName);
    long fileEnd = new ClusterGeometry(header.clusterBits()).clusterEnd(file.length());
    rules.require(
        pointer.offset() > 0, "crypto header, offset", "0 is where the image's own header lies");
    rules.require(
        pointer.length() <= MAX_LENGTH,
        "crypto header",
        "the LUKS header is " + pointer.length() + " bytes long, at most " + MAX_LENGTH + " are");
    rules.require(
        pointer.length() <= fileEnd - pointer.offset(),
        "crypto header",
        "from "
            + HeaderRules.hex(pointer.offset())
            + " on it is "
            + pointer.length()
            + " bytes long and ends past the end of the file, whose length is "
            + file.length());
    return new CryptoArea(file, pointer.offset(), pointer.length());
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    file.read(hostOffset + offset, target);
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    file.write(hostOffset + offset, source, WriteFlags.NONE);
  }

  @Override
  public void flush() throws IOException {
    file.flush();
  }
}
