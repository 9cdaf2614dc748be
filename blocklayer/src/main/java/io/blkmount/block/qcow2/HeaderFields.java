// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Changes single fields of the header in place, each with one write inside the first sector, so
 * that whatever else is in the header stays as it is and a power cut leaves the old or the new
 * value.
 */
final class HeaderFields {
  private final Metadata metadata;

  HeaderFields(Metadata metadata) {
    this.metadata = metadata;
  }

  /** Sets the length of the virtual disk. */
  void writeLength(long length) throws IOException {
    write(Qcow2Header.LENGTH_AT, ByteBuffer.allocate(8).putLong(length));
  }

  /** Switches to another L1 table: entry count and host offset are neighbours. */
  void writeL1Table(RootTable table) throws IOException {
    write(
        Qcow2Header.L1_ENTRY_COUNT_AT,
        ByteBuffer.allocate(12).putInt(table.entryCount()).putLong(table.hostOffset()));
  }

  /** Switches to another refcount table: host offset and cluster count are neighbours. */
  void writeRefcountTable(RootTable table) throws IOException {
    int clusters = table.byteCount() >> metadata.geometry().clusterBits();
    write(
        Qcow2Header.REFCOUNT_TABLE_OFFSET_AT,
        ByteBuffer.allocate(12).putLong(table.hostOffset()).putInt(clusters));
  }

  /** Sets all incompatible features (version 3). */
  void writeIncompatible(long features) throws IOException {
    write(Qcow2Header.INCOMPATIBLE_FEATURES_AT, ByteBuffer.allocate(8).putLong(features));
  }

  /** Sets all autoclear features (version 3). */
  void writeAutoclear(long features) throws IOException {
    write(Qcow2Header.AUTOCLEAR_FEATURES_AT, ByteBuffer.allocate(8).putLong(features));
  }

  private void write(int at, ByteBuffer bytes) throws IOException {
    metadata.file().write(at, bytes.flip(), WriteFlags.NONE);
  }
}
