// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Changes single fields of the header in place, each with one write inside the first sector, so
 * that whatever else is in the header stays as it is and a power cut leaves the old or the new
 * value.
 */
final class HeaderFields {
  private final BlockIo file;
  private final int clusterBits;

  HeaderFields(Metadata metadata) {
    this(metadata.file(), metadata.geometry().clusterBits());
  }

  HeaderFields(BlockIo file, int clusterBits) {
    this.file = file;
    this.clusterBits = clusterBits;
  }

  /** Sets the length of the virtual disk. */
  void writeLength(long length) throws IOException {
    write(Qcow2Header.LENGTH_AT, ByteBuffer.allocate(8).putLong(length));
  }

  /**
   * Switches durably to another L1 table: entry count and host offset are neighbours.
   *
   * @throws IOException if it failed; the header durably names the old table
   * @throws UndecidedException if it failed and that is not sure
   */
  void switchL1Table(RootTable from, RootTable to) throws IOException {
    switchDurably(Qcow2Header.L1_ENTRY_COUNT_AT, l1Table(from), l1Table(to));
  }

  private static ByteBuffer l1Table(RootTable table) {
    return ByteBuffer.allocate(12).putInt(table.entryCount()).putLong(table.hostOffset());
  }

  /**
   * Switches durably to another refcount table: host offset and cluster count are neighbours.
   *
   * @throws IOException if it failed; the header durably names the old table
   * @throws UndecidedException if it failed and that is not sure
   */
  void switchRefcountTable(RootTable from, RootTable to) throws IOException {
    switchRefcountTable(
        from.hostOffset(), from.byteCount() >> clusterBits,
        to.hostOffset(), to.byteCount() >> clusterBits);
  }

  /**
   * Does {@link #switchRefcountTable(RootTable, RootTable)} for host offsets and cluster counts.
   */
  void switchRefcountTable(long from, int fromClusters, long to, int toClusters)
      throws IOException {
    switchDurably(
        Qcow2Header.REFCOUNT_TABLE_OFFSET_AT,
        refcountTable(from, fromClusters),
        refcountTable(to, toClusters));
  }

  private static ByteBuffer refcountTable(long hostOffset, int clusters) {
    return ByteBuffer.allocate(12).putLong(hostOffset).putInt(clusters);
  }

  /**
   * Switches durably to another snapshot table: count and host offset are neighbours.
   *
   * @throws IOException if it failed; the header names the old table or the new one
   */
  void switchSnapshotTable(Qcow2Header to) throws IOException {
    ByteBuffer table = ByteBuffer.allocate(12);
    write(
        Qcow2Header.SNAPSHOT_COUNT_AT,
        table.putInt(to.snapshotCount()).putLong(to.snapshotTableOffset()));
    file.flush();
  }

  /** The header names the old tables or the new ones, and nothing can be written to find out. */
  static final class UndecidedException extends IOException {
    private static final long serialVersionUID = 1L;

    UndecidedException(IOException cause) {
      super("the header could not be switched, nor switched back: " + cause.getMessage(), cause);
    }
  }

  /**
   * Switches durably to another length and other tables, which lie in one sector from the length to
   * the snapshot table.
   *
   * @throws IOException if it failed; the header durably names the old tables
   * @throws UndecidedException if it failed and that is not sure
   */
  void switchTables(Qcow2Header from, Qcow2Header to) throws IOException {
    switchDurably(Qcow2Header.LENGTH_AT, tables(from), tables(to));
  }

  /**
   * Switches durably to another first sector, whatever differs.
   *
   * @param from what is there, from 0 to the position
   * @param to what shall be there, as long
   * @throws IOException if it failed; the old sector is there, durably
   * @throws UndecidedException if it failed and that is not sure
   */
  void switchStart(ByteBuffer from, ByteBuffer to) throws IOException {
    switchDurably(0, from, to);
  }

  /**
   * Switches durably to another record of the same length in one sector of the first cluster.
   *
   * @param at where it is
   * @param from what is there, from 0 to the position
   * @param to what shall be there, as long
   * @throws IOException if it failed; the old record is there, durably
   * @throws UndecidedException if it failed and that is not sure
   */
  void switchRecord(int at, ByteBuffer from, ByteBuffer to) throws IOException {
    switchDurably(at, from, to);
  }

  /** Switches durably to other autoclear features (version 3); throws as above. */
  void switchAutoclear(long from, long to) throws IOException {
    switchDurably(
        Qcow2Header.AUTOCLEAR_FEATURES_AT,
        ByteBuffer.allocate(8).putLong(from),
        ByteBuffer.allocate(8).putLong(to));
  }

  private void switchDurably(int at, ByteBuffer from, ByteBuffer to) throws IOException {
    try {
      write(at, to);
      file.flush();
    } catch (IOException e) {
      switchBack(at, from, e);
      throw e;
    }
  }

  private void switchBack(int at, ByteBuffer from, IOException failure) throws UndecidedException {
    try {
      write(at, from);
      file.flush();
    } catch (IOException e) {
      failure.addSuppressed(e);
      throw new UndecidedException(failure);
    }
  }

  private static ByteBuffer tables(Qcow2Header header) {
    ByteBuffer all = ByteBuffer.allocate(header.headerLength());
    header.encode(all);
    int length = Qcow2Header.V2_LENGTH - Qcow2Header.LENGTH_AT;
    return all.slice(Qcow2Header.LENGTH_AT, length).position(length);
  }

  /** Sets all incompatible features (version 3). */
  void writeIncompatible(long features) throws IOException {
    write(Qcow2Header.INCOMPATIBLE_FEATURES_AT, ByteBuffer.allocate(8).putLong(features));
  }

  /** Sets all autoclear features (version 3). */
  void writeAutoclear(long features) throws IOException {
    write(Qcow2Header.AUTOCLEAR_FEATURES_AT, ByteBuffer.allocate(8).putLong(features));
  }

  /**
   * Clears, durably, the autoclear features that are not known: whoever set them must see that the
   * image was changed.
   *
   * @param header as it is stored
   */
  void clearUnknown(Qcow2Header header) throws IOException {
    long known = header.autoclearFeatures() & FeatureBits.KNOWN_AUTOCLEAR;
    if (header.version() >= 3 && known != header.autoclearFeatures()) {
      writeAutoclear(known);
      file.flush();
    }
  }

  private void write(int at, ByteBuffer bytes) throws IOException {
    file.write(at, bytes.flip(), WriteFlags.NONE);
  }
}
