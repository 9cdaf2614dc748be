// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.crypto.IterationTimer;
import io.blkmount.block.crypto.SecretBytes;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.FeatureBits.Feature;
import io.blkmount.block.qcow2.HeaderExtensions.CryptoPointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes empty images and overlays. */
final class Qcow2Creator {
  private static final int SECTOR = 512;

  /** QEMU leaves the feature names out if less than this is left of the first cluster. */
  private static final int FEATURE_NAMES_NEED = 4096;

  private final ChildOpener.Child file;
  private final Qcow2CreateOptions shape;
  private final long length;
  private final byte @Nullable [] backingName;
  private final HeaderExtensions extensions;
  private final EmptyImageLayout layout;
  private final ChildOpener.@Nullable Child data;
  private final KeySource keys;
  private final IterationTimer timer;

  private Qcow2Creator(
      ChildOpener.Child file, CreateOptions options, ChildOpener children, IterationTimer timer)
      throws IOException {
    this.file = file;
    this.shape = Qcow2CreateOptions.parse(options.values());
    this.length = wholeSectors(options.length());
    this.backingName = backingName(options.backing());
    this.layout =
        EmptyImageLayout.of(
            shape.clusterBits(),
            shape.refcountOrder(),
            l1EntryCount(),
            shape.encryption().headerLength());
    this.extensions = extensions(options.backing());
    requireFirstClusterHolds();
    requireSpace();
    this.keys = options.keys();
    this.timer = timer;
    this.data = shape.dataFile() == null ? null : children.openData(shape.dataFile());
    requireDataSpace();
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
    }
    if (data == null) {
      writeHeader();
      preallocate();
    } else {
      writeWithData(data);
    }
  }

  private CryptoArea cryptoArea() {
    return new CryptoArea(file, layout.cryptoOffset(), shape.encryption().headerLength());
  }

  private void writeHeader() throws IOException {
    writeFirstCluster();
    file.flush();
  }

  private void preallocate() throws IOException {
    if (shape.preallocation() != Preallocation.OFF) {
      DriverOptions options = new DriverOptions(file.name(), true, Map.of());
      try (Qcow2Image image = new Qcow2Opener(options, role -> file).open(Alarm.SYSTEM)) {
        image.preallocate(shape.preallocation());
      }
    }
  }

  /** A raw data file is mapped from end to end, as QEMU does it: the image is opened for that. */
  private void writeWithData(ChildOpener.Child dataFile) throws IOException {
    if (dataFile.support().growable()) {
      dataFile.truncate(length, Preallocation.OFF);
    }
    dataFile.flush();
    writeHeader();
    if (shape.rawData()) {
      DriverOptions options = new DriverOptions(file.name(), true, Map.of());
      try (Qcow2Image image =
          new Qcow2Opener(options, new Opened(file, dataFile)).open(Alarm.SYSTEM)) {
        image.mapData();
      }
    }
  }

  /** The files of the new image. */
  private record Opened(Child file, Child data) implements ChildOpener {
    @Override
    public Child open(ChildRole role) {
      return file;
    }

    @Override
    public Child openData(@Nullable String name) {
      return data;
    }
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

  private void writeFirstCluster() throws IOException {
    ByteBuffer cluster = ByteBuffer.allocateDirect(clusterSize());
    header().encode(cluster);
    extensions.encode(cluster);
    if (backingName != null) {
      cluster.put(backingName);
    }
    file.write(0, cluster.clear(), WriteFlags.NONE);
  }

  private Qcow2Header header() {
    boolean isZlib = shape.compressionType() == Qcow2Header.COMPRESSION_ZLIB;
    return new Qcow2Header(
        shape.version(),
        backingName == null ? 0 : headerLength() + extensions.encodedLength(),
        backingName == null ? 0 : backingName.length,
        shape.clusterBits(),
        length,
        shape.encryption().method(),
        l1EntryCount(),
        layout.l1TableOffset(),
        layout.refcountTableOffset(),
        layout.refcountTableClusters(),
        0,
        0,
        (isZlib ? 0 : FeatureBits.COMPRESSION_TYPE)
            | (shape.extendedL2() ? FeatureBits.EXTENDED_L2 : 0)
            | (shape.dataFile() == null ? 0 : FeatureBits.EXTERNAL_DATA_FILE),
        shape.lazyRefcounts() ? FeatureBits.LAZY_REFCOUNTS : 0,
        shape.rawData() ? FeatureBits.RAW_EXTERNAL_DATA : 0,
        shape.refcountOrder(),
        headerLength(),
        shape.compressionType());
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
        || Qcow2Header.l1EntriesFor(rounded, shape.clusterBits(), shape.extendedL2()) > maxL1) {
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
    return (int) Qcow2Header.l1EntriesFor(length, shape.clusterBits(), shape.extendedL2());
  }

  private byte @Nullable [] backingName(@Nullable BackingReference backing) throws BlockException {
    if (backing == null) {
      return null;
    }
    if (shape.rawData()) {
      throw fault(BlockError.INVALID, "a backing file does not go together with a raw data file");
    }
    if (shape.preallocation() != Preallocation.OFF) {
      throw fault(
          BlockError.NOT_SUPPORTED, "preallocation does not go together with a backing file");
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

  private void requireFirstClusterHolds() throws BlockException {
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

  private void requireDataSpace() throws IOException {
    if (data != null && !data.support().growable() && data.length() < length) {
      throw fault(
          BlockError.NO_SPACE,
          String.format("the data file needs %d bytes, there are %d", length, data.length()));
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
        error, "cannot create qcow2 image \"" + HostName.printable(file.name()) + "\": " + problem);
  }
}
