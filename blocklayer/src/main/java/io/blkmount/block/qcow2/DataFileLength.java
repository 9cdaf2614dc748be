// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/**
 * Keeps an external data file as long as the disk, and maps all of a raw one: what its reader sees
 * and what the guest sees must be the same, whatever a power cut leaves. Does nothing where there
 * is no such file.
 */
final class DataFileLength {
  private final Metadata metadata;
  private final GuestData data;
  private final EntryChanges changes;

  DataFileLength(Metadata metadata, EntryChanges changes) {
    this.metadata = metadata;
    this.data = metadata.data();
    this.changes = changes;
  }

  /**
   * Makes room for a longer disk, durably, before its header says so; the new part reads as zeros.
   *
   * @throws IOException with {@code NO_SPACE} if it is a device that is too short
   */
  void grow(long oldLength, long length) throws IOException {
    if (data.isExternal()) {
      clear(oldLength, data.isRaw() ? length : metadata.geometry().clusterEnd(oldLength));
      resize(length);
      data.flush();
      if (data.isRaw()) {
        map(metadata.geometry().clusterEnd(oldLength), length);
      }
    }
  }

  /**
   * Cuts off the part that the disk is about to lose. The last cluster stays whole where it is
   * encrypted: until the header says so the guest sees all of it, and zeros there are garbage.
   */
  void shrink(long length) throws IOException {
    long end = data.isEncrypted() ? metadata.geometry().clusterEnd(length) : length;
    if (data.isExternal() && end < data.file().length()) {
      resize(end);
    }
  }

  /**
   * Zeroes what a file that was longer than its disk holds past the disk's end. Where it is
   * encrypted nothing there is ever taken for zeros.
   */
  private void clear(long from, long to) throws IOException {
    long end = Math.min(to, data.file().length());
    if (from < end && !data.isEncrypted()) {
      data.file().writeZeroes(from, end - from, WriteFlags.MAY_UNMAP);
    }
  }

  private void resize(long length) throws IOException {
    ChildOpener.Child file = data.file();
    if (file.support().growable()) {
      file.truncate(length, Preallocation.OFF);
    } else if (length > file.length()) {
      throw new BlockException(
          BlockError.NO_SPACE,
          file.name() + ": has " + file.length() + " bytes, the disk needs " + length);
    }
  }

  /**
   * Points the entries of a range of a raw data file at what is there, whatever they say.
   *
   * @param guestOffset aligned to clusters
   * @param guestEnd any alignment
   */
  void mapAgain(long guestOffset, long guestEnd) throws IOException {
    if (guestOffset < guestEnd) {
      long end = metadata.geometry().clusterEnd(guestEnd);
      changes.apply(guestOffset, end, true, (entry, kind, at) -> L2Entry.normal(at));
    }
  }

  /**
   * Points the entries of a range of a raw data file at what is there, if they say nothing.
   *
   * @param guestOffset aligned to clusters
   * @param guestEnd any alignment
   */
  void map(long guestOffset, long guestEnd) throws IOException {
    if (guestOffset < guestEnd) {
      changes.apply(
          guestOffset,
          metadata.geometry().clusterEnd(guestEnd),
          true,
          (entry, kind, at) -> kind == L2Entry.Kind.UNALLOCATED ? L2Entry.normal(at) : entry);
    }
  }
}
