// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.crypto.IterationTimer;
import io.blkmount.block.crypto.SecretBytes;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Writes empty images and overlays. */
final class Qcow2Creator {
  private static final int SECTOR = 512;

  private final ChildOpener.Child file;
  private final Qcow2CreateOptions shape;
  private final long length;
  private final EmptyImageLayout layout;
  private final NewFirstCluster firstCluster;
  private final @Nullable NewDataFile data;
  private final KeySource keys;
  private final IterationTimer timer;

  private Qcow2Creator(
      ChildOpener.Child file, CreateOptions options, ChildOpener children, IterationTimer timer)
      throws IOException {
    this.file = file;
    this.shape = Qcow2CreateOptions.parse(options.values());
    this.length = wholeSectors(options.length());
    this.layout =
        EmptyImageLayout.of(
            shape.clusterBits(),
            shape.refcountOrder(),
            l1EntryCount(),
            shape.encryption().headerLength());
    this.firstCluster = new NewFirstCluster(file.name(), shape, length, layout, options.backing());
    requireSpace();
    this.keys = options.keys();
    this.timer = timer;
    this.data = NewDataFile.open(children, shape.dataFile(), length, file.name());
  }

  /**
   * Makes an image out of a file or device. Everything is checked before the first write; the
   * header is written last, so that a crash leaves either no image or a whole one.
   *
   * @param file whatever was in it is gone afterwards
   * @param options by qemu-img's names; the length is rounded up to 512 bytes
   * @param children makes and opens the external data file, if the options name one
   * @throws BlockException {@code INVALID} or {@code NOT_SUPPORTED} for an option, {@code TOO_BIG}
   *     for a disk that the cluster size cannot map, {@code NAME_TOO_LONG} for a backing name,
   *     {@code NO_SPACE} for a device that is too small, {@code ACCESS_DENIED} for one that is to
   *     be encrypted without a key
   */
  static void create(ChildOpener.Child file, CreateOptions options, ChildOpener children)
      throws IOException {
    create(file, options, children, new IterationTimer(System::nanoTime));
  }

  /** Does {@link #create} with iterations that {@code timer} finds. */
  static void create(
      ChildOpener.Child file, CreateOptions options, ChildOpener children, IterationTimer timer)
      throws IOException {
    new Qcow2Creator(file, options, children, timer).write();
  }

  /** Does {@link #create} for an image that is stored in one file. */
  static void create(ChildOpener.Child file, CreateOptions options) throws IOException {
    create(file, options, role -> file);
  }

  private void write() throws IOException {
    try (SecretBytes key = shape.encryption().key(keys, file.name())) {
      clear();
      writeRefcounts();
      shape.encryption().write(cryptoArea(), file.name(), key, timer);
      file.flush();
      if (data != null) {
        data.fit(length);
      }
      file.write(0, firstCluster.encoded(), WriteFlags.NONE);
      file.flush();
      new NewDiskSpace(file, data).give(shape, firstCluster.hasBacking(), key);
    }
  }

  private CryptoArea cryptoArea() {
    return new CryptoArea(file, layout.cryptoOffset(), shape.encryption().headerLength());
  }

  /** An old header must be gone for good before the tables that it points to are overwritten. */
  private void clear() throws IOException {
    if (file.support().growable()) {
      file.truncate(0, Preallocation.OFF);
      file.truncate(layout.fileLength(), Preallocation.OFF);
    }
    if (!file.support().growable() || !file.support().newSpaceReadsZero()) {
      file.writeZeroes(0, clusterSize(), WriteFlags.NONE);
      file.flush();
      file.writeZeroes(0, layout.fileLength(), WriteFlags.NONE);
    }
  }

  private void writeRefcounts() throws IOException {
    for (int index = 0; index < layout.refcountBlocks(); index++) {
      ByteBuffer block = ByteBuffer.allocateDirect(clusterSize());
      layout.encodeRefcountBlock(index, block);
      file.write(layout.refcountBlockOffset(index), block, WriteFlags.NONE);
    }
    ByteBuffer table =
        ByteBuffer.allocateDirect(layout.refcountTableClusters() << shape.clusterBits());
    layout.encodeRefcountTable(table);
    file.write(layout.refcountTableOffset(), table, WriteFlags.NONE);
  }

  /** QEMU counts disks in sectors and rounds them up. */
  private long wholeSectors(long bytes) throws BlockException {
    long maxL1 = (long) HeaderReader.MAX_L1_ENTRIES;
    if (bytes < 0) {
      throw fault(BlockError.INVALID, "a disk of " + bytes + " bytes");
    }
    boolean fits = bytes <= Long.MAX_VALUE - SECTOR;
    long rounded = fits ? Alignment.up(bytes, SECTOR) : bytes;
    if (!fits
        || ClusterGeometry.l1EntriesFor(rounded, shape.clusterBits(), shape.extendedL2()) > maxL1) {
      long limit = maxL1 << (2 * shape.clusterBits() - (shape.extendedL2() ? 4 : 3));
      throw fault(
          BlockError.TOO_BIG,
          String.format(
              "a disk of %d bytes is too large for clusters of %d bytes, which allow %d",
              bytes, clusterSize(), limit));
    }
    return rounded;
  }

  private int l1EntryCount() {
    return (int) ClusterGeometry.l1EntriesFor(length, shape.clusterBits(), shape.extendedL2());
  }

  private void requireSpace() throws IOException {
    if (!file.support().writable()) {
      throw fault(BlockError.READ_ONLY, "the file is read-only");
    }
    long available = file.support().growable() ? Long.MAX_VALUE : file.length();
    if (available < layout.fileLength()) {
      throw fault(
          BlockError.NO_SPACE,
          String.format(
              "the empty image needs %d bytes, there are %d", layout.fileLength(), available));
    }
  }

  private int clusterSize() {
    return 1 << shape.clusterBits();
  }

  private BlockException fault(BlockError error, String problem) {
    return new BlockException(
        error, "cannot create qcow2 image \"" + HostName.printable(file.name()) + "\": " + problem);
  }
}
