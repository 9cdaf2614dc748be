// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.HeaderExtensions.CryptoPointer;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Opens an image: header, extensions, what can be served, tables. Stands for {@code qcow2_open()}.
 */
final class Qcow2Opener {
  private static final Logger LOG = System.getLogger(Qcow2Opener.class.getName());

  private final DriverOptions options;
  private final ChildOpener children;

  Qcow2Opener(DriverOptions options, ChildOpener children) {
    this.options = options;
    this.children = children;
  }

  Qcow2Image open(Alarm clock) throws IOException {
    Qcow2Options own = Qcow2Options.take(options);
    options.requireAllTaken("qcow2");
    ChildOpener.Child file = children.open(ChildRole.FILE);
    String name = options.imageName();
    FirstCluster first = FirstCluster.read(name, file);
    Qcow2Header header = first.header();
    HeaderExtensions extensions = first.extensions();
    own.requireFor(header);
    if (options.writable()) {
      requireWritable(header, own);
      if (header.hasIncompatible(FeatureBits.DIRTY)) {
        repairDirty(file);
        header = FirstCluster.read(name, file).header();
      }
    }
    Qcow2Header shown = shown(file, header, own);
    GuestCipher cipher = EncryptionOpener.open(options, own, file, shown, extensions);
    try {
      GuestData data = GuestData.open(children, file, header, extensions, cipher);
      Metadata metadata = readTables(file, data, shown, own);
      CryptoPointer crypto = extensions.crypto();
      if (crypto != null) {
        metadata.guard().add(crypto.offset(), crypto.length(), OverlapGuard.Area.CRYPTO_HEADER);
      }
      Qcow2Image image =
          new Qcow2Image(
              metadata,
              Qcow2Parts.of(metadata, metadata.file().length()),
              new Corruption(options.imageName(), metadata, options.writable()),
              backingReference(first),
              own.internalSnapshot() == null ? extensions.bitmaps() : null);
      start(image, own, clock);
      return image;
    } catch (IOException | RuntimeException e) {
      if (cipher != null) {
        cipher.close();
      }
      throw e;
    }
  }

  private void start(Qcow2Image image, Qcow2Options own, Alarm clock) throws IOException {
    if (options.writable()) {
      image.loadBitmaps();
    }
    if (own.cacheCleanSeconds() > 0) {
      image.cleanCaches(own.cacheCleanSeconds(), clock);
    }
  }

  private void requireWritable(Qcow2Header header, Qcow2Options own) throws BlockException {
    if (header.hasIncompatible(FeatureBits.CORRUPT)) {
      throw notWritable("it is marked corrupt: repair it with qemu-img check -r all");
    }
    if (own.internalSnapshot() != null) {
      throw notWritable("an internal snapshot never changes");
    }
    if (header.hasIncompatible(FeatureBits.EXTERNAL_DATA_FILE) && header.snapshotCount() > 0) {
      throw notWritable("internal snapshots do not go together with its external data file");
    }
    if (FeatureBits.hasRawData(header) && header.hasBackingName()) {
      throw notWritable("a raw external data file does not go together with its backing file");
    }
  }

  /** The refcounts of an image that was not closed cleanly may be wrong; reads need none. */
  private void repairDirty(ChildOpener.Child file) throws IOException {
    CheckResult result = Qcow2Repair.repairDirty(options.imageName(), file);
    long left = result.corruptions() + result.checkErrors();
    if (left > 0) {
      throw notWritable(
          "it was not closed cleanly, and more is damaged than its refcounts: "
              + left
              + " errors, see qemu-img check");
    }
    LOG.log(
        Level.INFO,
        "{0}: was not closed cleanly; wrong refcounts: {1}, leaked clusters: {2}, all repaired",
        options.imageName(),
        result.corruptionsFixed(),
        result.leaksFixed());
  }

  private BlockException notWritable(String reason) {
    return new BlockException(
        BlockError.NOT_SUPPORTED,
        "cannot open \""
            + options.imageName()
            + "\" for writing: "
            + reason
            + " (read-only with -r)");
  }

  /** Returns the header of what is to be shown: the disk as it is, or one of its snapshots. */
  private Qcow2Header shown(ChildOpener.Child file, Qcow2Header header, Qcow2Options own)
      throws IOException {
    String snapshot = own.internalSnapshot();
    return snapshot == null
        ? header
        : new SnapshotTable(options.imageName(), file, header).headerOf(snapshot);
  }

  private Metadata readTables(
      ChildOpener.Child file, GuestData data, Qcow2Header header, Qcow2Options own)
      throws IOException {
    RootTable l1 = RootTable.read(file, header.l1TableOffset(), header.l1EntryCount());
    int refcountEntries =
        options.writable() ? header.refcountTableClusters() << (header.clusterBits() - 3) : 0;
    RootTable refcountTable = RootTable.read(file, header.refcountTableOffset(), refcountEntries);
    Metadata metadata = new Metadata(file, data, header, l1, refcountTable, own);
    if (options.writable()) {
      guardTables(metadata, header);
      guardSnapshots(metadata, header);
    } else {
      new SnapshotTable(options.imageName(), file, header).forEachUsable(snapshot -> {});
    }
    return metadata;
  }

  private static void guardTables(Metadata metadata, Qcow2Header header) throws IOException {
    OverlapGuard guard = metadata.guard();
    int clusterSize = header.clusterSize();
    guard.add(0, clusterSize, OverlapGuard.Area.HEADER);
    guard.add(metadata.l1().hostOffset(), metadata.l1().byteCount(), OverlapGuard.Area.L1_TABLE);
    guard.add(
        metadata.refcountTable().hostOffset(),
        metadata.refcountTable().byteCount(),
        OverlapGuard.Area.REFCOUNT_TABLE);
    addTargets(metadata, metadata.refcountTable(), OverlapGuard.Area.REFCOUNT_BLOCK);
    addTargets(metadata, metadata.l1(), OverlapGuard.Area.L2_TABLE);
  }

  /**
   * Guards the tables of snapshots. No refcount, and so nothing, leads to their L2 tables, which
   * are not looked for unless that is wanted.
   */
  private void guardSnapshots(Metadata metadata, Qcow2Header header) throws IOException {
    List<ByteRange> l1Tables = new ArrayList<>();
    int bytes =
        new SnapshotTable(options.imageName(), metadata.file(), header)
            .forEachUsable(
                snapshot ->
                    l1Tables.add(new ByteRange(snapshot.l1TableOffset(), snapshot.l1ByteCount())));
    metadata.guard().add(header.snapshotTableOffset(), bytes, OverlapGuard.Area.SNAPSHOT_TABLE);
    metadata.guard().snapshotTables(SnapshotGuard.find(metadata, l1Tables));
  }

  /**
   * Guards what a table points to inside the file; nothing is ever written to what lies outside.
   */
  private static void addTargets(Metadata metadata, RootTable table, OverlapGuard.Area area)
      throws IOException {
    ClusterGeometry geometry = metadata.geometry();
    long fileEnd = geometry.clusterEnd(metadata.file().length());
    for (int i = 0; i < table.entryCount(); i++) {
      long hostOffset = table.entry(i) & L1Entry.OFFSET_MASK;
      if (hostOffset != 0 && hostOffset < fileEnd) {
        metadata.guard().add(geometry.clusterStart(hostOffset), geometry.clusterSize(), area);
      }
    }
  }

  private static @Nullable BackingReference backingReference(FirstCluster first) {
    String name = first.backingName();
    return name == null ? null : new BackingReference(name, first.extensions().backingFormat());
  }
}
