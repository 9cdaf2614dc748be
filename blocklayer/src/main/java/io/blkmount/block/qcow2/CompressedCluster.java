// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/**
 * Where a compressed cluster lies, as an L2 entry says it.
 *
 * <pre>
 * bit 63  62  61 ............. x  x-1 .......... 0      x = 62 - (cluster_bits - 8)
 *      0   1  additional sectors  host offset in bytes
 * </pre>
 *
 * <p>Bit 0 belongs to the offset: the zero flag of standard entries does not exist here.
 *
 * @param hostOffset of the first byte; any alignment
 * @param lengthBytes to the end of the last 512-byte sector; the stream may end before, and the
 *     rest of that sector may belong to the next compressed cluster
 */
record CompressedCluster(long hostOffset, int lengthBytes) {
  static final int SECTOR = 512;
  private static final long COMPRESSED = 1L << 62;

  /**
   * Returns what an L2 entry says.
   *
   * @param l2Entry with the compressed bit set
   * @param clusterBits of the image
   */
  static CompressedCluster decode(long l2Entry, int clusterBits) {
    assert (l2Entry & COMPRESSED) != 0 : Long.toHexString(l2Entry);
    int offsetBits = offsetBits(clusterBits);
    long hostOffset = l2Entry & ((1L << offsetBits) - 1);
    long additional = (l2Entry & (COMPRESSED - 1)) >>> offsetBits;
    long length = (additional + 1) * SECTOR - hostOffset % SECTOR;
    return new CompressedCluster(hostOffset, Math.toIntExact(length));
  }

  /**
   * Returns the L2 entry, with the compressed bit.
   *
   * @param clusterBits of the image
   * @throws IllegalArgumentException if the offset or the length does not fit into an entry
   */
  long encode(int clusterBits) {
    int offsetBits = offsetBits(clusterBits);
    long additional = (hostOffset % SECTOR + lengthBytes - 1) / SECTOR;
    if (hostOffset >>> offsetBits != 0
        || lengthBytes < 1
        || additional >>> (62 - offsetBits) != 0) {
      throw new IllegalArgumentException(this + " at cluster_bits " + clusterBits);
    }
    return COMPRESSED | additional << offsetBits | hostOffset;
  }

  /** Returns where the part of a file ends, in bytes, that entries can point into. */
  static long endOfSpace(int clusterBits) {
    return 1L << offsetBits(clusterBits);
  }

  private static int offsetBits(int clusterBits) {
    return 62 - (clusterBits - 8);
  }
}
