// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.crypto.SectorCipher;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;

/** What an image can do, and in which units. */
final class ImageSupport {
  private static final WriteFlags WRITE_FLAGS = WriteFlags.UNCHANGED;
  private static final Support WRITABLE = support(true, WRITE_FLAGS);
  private static final Support COMPRESSIBLE =
      support(true, WRITE_FLAGS.with(WriteFlags.COMPRESSED));

  static final Support NOT_WRITABLE = support(false, WRITE_FLAGS);

  private ImageSupport() {}

  static Support whenWritable(Qcow2Header header) {
    boolean compressible =
        header.cryptMethod() == Qcow2Header.CRYPT_NONE
            && !header.hasIncompatible(FeatureBits.EXTERNAL_DATA_FILE);
    return compressible ? COMPRESSIBLE : WRITABLE;
  }

  private static Support support(boolean writable, WriteFlags writeFlags) {
    WriteFlags zeroFlags =
        WriteFlags.MAY_UNMAP.with(WriteFlags.NO_FALLBACK).with(WriteFlags.UNCHANGED);
    return new Support(writable, false, writeFlags, zeroFlags, true, true, true);
  }

  static BlockLimits limits(Metadata metadata) {
    ClusterGeometry geometry = metadata.geometry();
    BlockLimits limits = BlockLimits.ofClusters(geometry.clusterSize(), geometry.subclusterSize());
    return metadata.data().isEncrypted()
        ? limits.withRequestAlignment(SectorCipher.SECTOR_SIZE)
        : limits;
  }
}
