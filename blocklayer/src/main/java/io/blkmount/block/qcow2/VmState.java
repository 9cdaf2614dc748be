// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The state of the machine, kept as guest bytes past the disk: it begins with the first L1 entry
 * that the disk does not need. Stands for {@code qcow2_save_vmstate()}.
 *
 * <pre>
 * L1 table | disk ... | state of the machine ... |
 * </pre>
 */
final class VmState {
  /** The unit of encryption. */
  private static final int SECTOR = 512;

  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final ClusterWriter writer;
  private final L1TableGrowth l1Growth;

  VmState(Metadata metadata, ClusterWriter writer, L1TableGrowth l1Growth) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.writer = writer;
    this.l1Growth = l1Growth;
  }

  /** Returns the guest offset of the first byte. */
  private long start() {
    return geometry.l1EntriesFor(metadata.length()) * geometry.l2Span();
  }

  /** Returns for how many bytes the L1 table has entries. */
  long mappedLength() {
    return Math.max(0, metadata.l1().entryCount() * geometry.l2Span() - start());
  }

  void write(long position, ByteBuffer source) throws IOException {
    requireOwnFile();
    if (source.hasRemaining()) {
      long offset = guestOffset(position, source.remaining());
      l1Growth.requireMapped(offset + source.remaining());
      writer.write(offset, source);
    }
  }

  /** QEMU puts it into the data file, behind the disk, where no snapshot can keep it. */
  private void requireOwnFile() throws BlockException {
    if (metadata.data().isExternal()) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED, "an image with a data file keeps no state of a machine");
    }
  }

  /** Returns the guest offset of a part, of which the end is a number too. */
  private long guestOffset(long position, int length) throws BlockException {
    if (metadata.data().isEncrypted() && ((position | length) & (SECTOR - 1)) != 0) {
      throw new BlockException(
          BlockError.INVALID,
          "state of the machine in an encrypted image: position "
              + position
              + " length "
              + length
              + " are not whole sectors");
    }
    if (position < 0 || position > Long.MAX_VALUE - length - start()) {
      throw new BlockException(
          BlockError.TOO_BIG, "state of the machine: position " + position + " length " + length);
    }
    return start() + position;
  }

  /** Reads guest bytes, past the disk too. */
  interface GuestReader {
    void read(long guestOffset, ByteBuffer target) throws IOException;
  }

  /** Fills {@code target}; what was not saved reads as zeros. */
  void read(long position, ByteBuffer target, GuestReader reader) throws IOException {
    int limit = target.limit();
    long offset = guestOffset(position, target.remaining());
    long inside = Math.min(target.remaining(), mappedLength() - position);
    try {
      if (inside > 0) {
        reader.read(offset, target.limit(target.position() + (int) inside));
      }
    } finally {
      target.limit(limit);
    }
    Zeroes.fill(target);
  }
}
