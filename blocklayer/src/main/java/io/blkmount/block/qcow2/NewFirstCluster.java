// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.FeatureBits.Feature;
import io.blkmount.block.qcow2.HeaderExtensions.CryptoPointer;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The first cluster of a new image.
 *
 * <pre>
 * header | extensions | backing file's name | zeros
 * </pre>
 */
final class NewFirstCluster {
  /** QEMU leaves the feature names out if less than this is left of the first cluster. */
  static final int FEATURE_NAMES_NEED = 4096;

  private final String imageName;
  private final Qcow2CreateOptions shape;
  private final long length;
  private final EmptyImageLayout layout;
  private final byte @Nullable [] backingName;
  private final HeaderExtensions extensions;

  /**
   * Checks that everything has room.
   *
   * @param imageName for messages
   * @param length of the disk in bytes
   * @param backing of the image, or null
   * @throws BlockException {@code INVALID} or {@code NOT_SUPPORTED} for what does not go together
   *     with a backing file, {@code NAME_TOO_LONG} for a name
   */
  NewFirstCluster(
      String imageName,
      Qcow2CreateOptions shape,
      long length,
      EmptyImageLayout layout,
      @Nullable BackingReference backing)
      throws BlockException {
    this.imageName = imageName;
    this.shape = shape;
    this.length = length;
    this.layout = layout;
    this.backingName = backingName(backing);
    this.extensions = extensions(backing);
    requireRoom();
  }

  boolean hasBacking() {
    return backingName != null;
  }

  /** Returns the cluster from position to limit. */
  ByteBuffer encoded() {
    ByteBuffer cluster = ByteBuffer.allocateDirect(clusterSize());
    header().encode(cluster);
    extensions.encode(cluster);
    if (backingName != null) {
      cluster.put(backingName);
    }
    return cluster.clear();
  }

  private Qcow2Header header() {
    boolean isZlib = shape.compressionType() == Qcow2Header.COMPRESSION_ZLIB;
    HeaderBuilder header =
        new HeaderBuilder()
            .version(shape.version(), headerLength())
            .clusterBits(shape.clusterBits())
            .length(length)
            .cryptMethod(shape.encryption().method())
            .l1Table(l1EntryCount(), layout.l1TableOffset())
            .refcountTable(layout.refcountTableOffset(), layout.refcountTableClusters())
            .features(
                (isZlib ? 0 : FeatureBits.COMPRESSION_TYPE)
                    | (shape.extendedL2() ? FeatureBits.EXTENDED_L2 : 0)
                    | (shape.dataFile() == null ? 0 : FeatureBits.EXTERNAL_DATA_FILE),
                shape.lazyRefcounts() ? FeatureBits.LAZY_REFCOUNTS : 0,
                shape.rawData() ? FeatureBits.RAW_EXTERNAL_DATA : 0)
            .refcountOrder(shape.refcountOrder())
            .compressionType(shape.compressionType());
    if (backingName != null) {
      header.backingName(headerLength() + extensions.encodedLength(), backingName.length);
    }
    return header.build();
  }

  private int l1EntryCount() {
    return (int) ClusterGeometry.l1EntriesFor(length, shape.clusterBits(), shape.extendedL2());
  }

  private byte @Nullable [] backingName(@Nullable BackingReference backing) throws BlockException {
    if (backing == null) {
      return null;
    }
    if (shape.rawData()) {
      throw fault(BlockError.INVALID, "a backing file does not go together with a raw data file");
    }
    if (shape.preallocation() != Preallocation.OFF && !shape.extendedL2()) {
      throw fault(
          BlockError.NOT_SUPPORTED,
          "preallocation goes together with a backing file only if extended_l2=on");
    }
    byte[] name = HostName.encode(backing.name());
    if (name.length == 0 || backing.name().indexOf('\0') >= 0) {
      throw fault(BlockError.INVALID, "a backing file needs a name without NUL");
    }
    requireNameLength(name, HeaderReader.MAX_BACKING_NAME, "the backing file's name");
    return name;
  }

  private HeaderExtensions extensions(@Nullable BackingReference backing) throws BlockException {
    String format = backing == null ? null : backing.format();
    if (format != null) {
      requireNameLength(
          HostName.encode(format), ExtensionReader.MAX_BACKING_FORMAT, "the backing format's name");
    }
    String dataFile = shape.dataFile();
    CryptoPointer crypto = cryptoPointer();
    HeaderExtensions bare =
        new HeaderExtensions(format, dataFile, crypto, Map.of(), null, List.of());
    int end = headerLength() + bare.encodedLength() - HeaderExtensions.RECORD_HEAD;
    boolean withNames = shape.version() >= 3 && clusterSize() - end >= FEATURE_NAMES_NEED;
    Map<Feature, String> names = withNames ? FeatureBits.names() : Map.of();
    return new HeaderExtensions(format, dataFile, crypto, names, null, List.of());
  }

  private @Nullable CryptoPointer cryptoPointer() {
    long length = shape.encryption().headerLength();
    return length == 0 ? null : new CryptoPointer(layout.cryptoOffset(), length);
  }

  private void requireNameLength(byte[] name, int limit, String what) throws BlockException {
    if (name.length > limit) {
      throw fault(
          BlockError.NAME_TOO_LONG,
          String.format("%s has %d bytes, at most %d are allowed", what, name.length, limit));
    }
  }

  private void requireRoom() throws BlockException {
    int nameAt = headerLength() + extensions.encodedLength();
    if (nameAt > clusterSize()) {
      throw fault(
          BlockError.NAME_TOO_LONG,
          "the data file's name does not fit into a cluster of " + clusterSize() + " bytes");
    }
    if (backingName != null && nameAt + backingName.length > clusterSize()) {
      throw fault(
          BlockError.NAME_TOO_LONG,
          String.format(
              "the backing file's name has %d bytes, a cluster of %d bytes has room for %d",
              backingName.length, clusterSize(), clusterSize() - nameAt));
    }
  }

  private int headerLength() {
    return shape.version() == 2 ? Qcow2Header.V2_LENGTH : Qcow2Header.V3_LENGTH;
  }

  private int clusterSize() {
    return 1 << shape.clusterBits();
  }

  private BlockException fault(BlockError error, String problem) {
    return new BlockException(
        error, "cannot create qcow2 image \"" + HostName.printable(imageName) + "\": " + problem);
  }
}
