// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;

/**
 * Gives guest data its host clusters: free ones of the image file, or the ones that were always
 * meant for it in an external data file, which are neither counted nor next to any metadata.
 */
final class DataClusters {
  private final Metadata metadata;
  private final ClusterAllocator allocator;

  DataClusters(Metadata metadata, ClusterAllocator allocator) {
    this.metadata = metadata;
    this.allocator = allocator;
  }

  /**
   * Takes at most {@code maxClusters} consecutive clusters for the guest's bytes from {@code
   * guestOffset} on.
   *
   * @param guestOffset any alignment
   * @throws IOException with {@code NO_SPACE} if the image cannot grow; nothing is taken then
   */
  ClusterAllocator.Allocated allocate(long guestOffset, int maxClusters) throws IOException {
    if (!metadata.data().isExternal()) {
      return asDecrypted(allocator.allocate(maxClusters));
    }
    long hostOffset = metadata.geometry().clusterStart(guestOffset);
    return asDecrypted(
        new ClusterAllocator.Allocated(hostOffset, maxClusters, isPastEnd(hostOffset)));
  }

  /** Zeros that nobody encrypted read as anything but zeros. */
  private ClusterAllocator.Allocated asDecrypted(ClusterAllocator.Allocated taken) {
    return metadata.data().isEncrypted()
        ? new ClusterAllocator.Allocated(taken.hostOffset(), taken.clusterCount(), false)
        : taken;
  }

  /** What lies past the end of a data file was never written, or was cut off since. */
  private boolean isPastEnd(long hostOffset) throws IOException {
    GuestData data = metadata.data();
    return data.file().support().newSpaceReadsZero() && hostOffset >= data.file().length();
  }

  /** Gives back what {@link #allocate} gave and no entry has ever pointed to. */
  void giveBack(HostRun run) throws IOException {
    if (!metadata.data().isExternal()) {
      allocator.giveBack(run);
    }
  }

  /**
   * Checks host clusters that an entry names: no other structure's, and none the file lacks. In an
   * external data file an entry can name no clusters but its own, inside the disk.
   *
   * @throws CorruptImageException if nothing of the guest's can be there
   */
  void requireWritable(long hostOffset, long length) throws IOException {
    if (!metadata.data().isExternal()) {
      metadata.guard().requireFree("guest data", hostOffset, length);
      metadata.requireInFile("guest data", hostOffset + length - 1);
    }
  }
}
