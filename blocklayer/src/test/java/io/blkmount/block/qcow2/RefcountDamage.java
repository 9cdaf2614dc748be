// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.testing.PagedBytes;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** Ways in which all that can be derived from the tables of an image is wrong. */
enum RefcountDamage {
  /** Everything counts as free. */
  ALL_ZERO {
    @Override
    void apply(PagedBytes image) {
      forEachBlock(image, (offset, length) -> image.zero(offset, length));
    }
  },
  /** Everything counts as shared, as often as can be counted. */
  ALL_MAX {
    @Override
    void apply(PagedBytes image) {
      forEachBlock(
          image,
          (offset, length) -> {
            byte[] ones = new byte[length];
            Arrays.fill(ones, (byte) 0xff);
            image.write(offset, ByteBuffer.wrap(ones));
          });
    }
  },
  BLOCK_LOST {
    @Override
    void apply(PagedBytes image) {
      image.zero(image.getLong(Qcow2Header.REFCOUNT_TABLE_OFFSET_AT), Long.BYTES);
    }
  },
  BLOCK_OFF_BOUNDARY {
    @Override
    void apply(PagedBytes image) {
      long table = image.getLong(Qcow2Header.REFCOUNT_TABLE_OFFSET_AT);
      put(image, table, image.getLong(table) + 512);
    }
  },
  TABLE_PAST_THE_END {
    @Override
    void apply(PagedBytes image) {
      long clusterSize = 1L << clusterBits(image);
      long behind = (image.length() + clusterSize - 1) / clusterSize * clusterSize;
      put(image, Qcow2Header.REFCOUNT_TABLE_OFFSET_AT, behind + 4 * clusterSize);
    }
  },
  /** COPIED where it should not be, and not where it should be. */
  FLAGS {
    @Override
    void apply(PagedBytes image) {
      int clusterSize = 1 << clusterBits(image);
      long l1 = image.getLong(Qcow2Header.L1_TABLE_OFFSET_AT);
      long table = L1Entry.l2Offset(image.getLong(l1));
      put(image, l1, image.getLong(l1) ^ COPIED);
      boolean isVersion3 = getInt(image, Qcow2Header.VERSION_AT) == 3;
      long features = isVersion3 ? image.getLong(Qcow2Header.INCOMPATIBLE_FEATURES_AT) : 0;
      int step = (features & FeatureBits.EXTENDED_L2) == 0 ? 8 : 16;
      for (long at = table; at < table + clusterSize; at += step) {
        long entry = image.getLong(at);
        if ((entry & L1Entry.OFFSET_MASK) != 0) {
          put(image, at, entry ^ COPIED);
        }
      }
    }
  };

  private static final long COPIED = 1L << 63;

  private interface BlockVisitor {
    void visit(long offset, int length);
  }

  abstract void apply(PagedBytes image);

  /** Visits what each block says of the clusters of the file. */
  private static void forEachBlock(PagedBytes image, BlockVisitor visitor) {
    int bits = clusterBits(image);
    int version = getInt(image, Qcow2Header.VERSION_AT);
    int order = version == 2 ? 4 : getInt(image, Qcow2Header.REFCOUNT_ORDER_AT);
    long left = image.length() >> bits;
    long perBlock = (8L << bits) >> order;
    long table = image.getLong(Qcow2Header.REFCOUNT_TABLE_OFFSET_AT);
    for (long at = table; left > 0; at += Long.BYTES) {
      long offset = image.getLong(at);
      int length = (int) (Math.min(left, perBlock) << order >> 3);
      if (offset != 0) {
        visitor.visit(offset, length);
      }
      left -= perBlock;
    }
  }

  private static int clusterBits(PagedBytes image) {
    return getInt(image, Qcow2Header.CLUSTER_BITS_AT);
  }

  private static int getInt(PagedBytes image, int at) {
    return ByteBuffer.wrap(image.bytes(at, Integer.BYTES)).getInt();
  }

  private static void put(PagedBytes image, long at, long value) {
    image.write(at, ByteBuffer.allocate(Long.BYTES).putLong(0, value));
  }
}
