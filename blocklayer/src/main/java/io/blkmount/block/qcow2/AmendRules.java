// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.CheckTally.Remedy;
import java.io.IOException;
import java.util.EnumSet;

/**
 * What the properties of an image must be for a change; every refusal names image and option.
 *
 * @param imageName for messages, as the user gave it
 */
record AmendRules(String imageName) {
  void require(boolean condition, BlockError error, String option, String problem)
      throws BlockException {
    if (!condition) {
      throw new BlockException(error, message(option + ": " + problem));
    }
  }

  String message(String problem) {
    return "cannot amend qcow2 image \"" + HostName.printable(imageName) + "\": " + problem;
  }

  /** Fails for an image that only a repair may write to. */
  void requireWritable(Qcow2Header header) throws BlockException {
    if (header.hasIncompatible(FeatureBits.CORRUPT)) {
      throw damaged("it is marked corrupt");
    }
  }

  /** Returns a check of the image that found nothing but leaks, or fails. */
  Qcow2Check check(BlockIo file) throws IOException {
    CheckTally tally = new CheckTally(finding -> {}, EnumSet.noneOf(Remedy.class));
    Qcow2Check check = new Qcow2Check(CheckedImage.read(imageName, file), tally, TableRepair.NONE);
    requireSound(check.run());
    return check;
  }

  /** Fails unless a check has found nothing but leaks. */
  void requireSound(CheckResult result) throws BlockException {
    long errors = result.corruptions() + result.checkErrors();
    if (errors > 0) {
      throw damaged("a check finds " + errors + " errors");
    }
  }

  private BlockException damaged(String reason) {
    return new BlockException(BlockError.NOT_SUPPORTED, message(reason + ": repair it first"));
  }

  void requireFits(int length, int clusterSize) throws BlockException {
    if (length > clusterSize) {
      throw new BlockException(
          BlockError.NAME_TOO_LONG,
          message(
              "its header would need " + length + " bytes, the first cluster has " + clusterSize));
    }
  }

  void requireNameLength(String option, String name, int limit) throws BlockException {
    int length = HostName.encode(name).length;
    require(
        length <= limit,
        BlockError.NAME_TOO_LONG,
        option,
        "the name has " + length + " bytes, at most " + limit + " are allowed");
  }

  /** Fails if an image of version 3 has in its header what version 2 has no place for. */
  void requireForVersion2(FirstCluster now) throws BlockException {
    Qcow2Header header = now.header();
    requireNot(header.hasIncompatible(FeatureBits.EXTENDED_L2), "extended L2 entries");
    requireNot(header.hasIncompatible(FeatureBits.EXTERNAL_DATA_FILE), "external data file");
    requireNot(header.hasIncompatible(FeatureBits.COMPRESSION_TYPE), "compression type but zlib");
    requireNot(now.extensions().bitmaps() != null, "bitmaps");
    requireNot(header.version() >= 3 && now.hasUnknownFields(), "more fields in the header");
  }

  private void requireNot(boolean isUsed, String what) throws BlockException {
    require(
        !isUsed, BlockError.NOT_SUPPORTED, Qcow2CreateOptions.COMPAT, "version 2 has no " + what);
  }

  /** Fails if a snapshot says too much for version 2, or too little for version 3. */
  void requireSnapshots(SnapshotTable table, Qcow2Header next) throws IOException {
    int unused =
        table.forEach(
            snapshot -> {
              boolean isFit =
                  next.version() < 3
                      ? fitsVersion2(snapshot, next)
                      : snapshot.diskLength() != SnapshotRecord.UNKNOWN;
              require(
                  isFit,
                  BlockError.NOT_SUPPORTED,
                  Qcow2CreateOptions.COMPAT,
                  "snapshot "
                      + snapshot.printable()
                      + (next.version() < 3
                          ? " has another disk length, or more than 4 GiB of machine state"
                          : " does not say how long its disk is"));
            });
  }

  private static boolean fitsVersion2(SnapshotRecord snapshot, Qcow2Header next) {
    long length = snapshot.diskLength();
    return (length == SnapshotRecord.UNKNOWN || length == next.length())
        && snapshot.vmStateLength() >>> Integer.SIZE == 0;
  }

  /**
   * Lets everything that is in use keep its refcount, too high as it may be: the flag of its entry
   * goes by that. What nothing refers to becomes free.
   *
   * @param check that found nothing but leaks
   * @param width of the refcounts to be
   * @throws BlockException with {@code INVALID} if one of them cannot be counted with that
   */
  void keepCounts(Qcow2Check check, RefcountWidth width) throws IOException {
    ClusterCounts counts = check.references().counts();
    StoredLeaks.forEach(
        check,
        (cluster, stored, counted) -> {
          if (counted > 0) {
            requireCount(cluster, stored, width);
            counts.add(cluster, stored - counted);
          }
        });
    for (long c = counts.nextUsed(0); c < counts.size(); c = counts.nextUsed(c + 1)) {
      requireCount(c, counts.count(c), width);
    }
  }

  private void requireCount(long cluster, long count, RefcountWidth width) throws BlockException {
    if (count > width.max()) {
      throw new BlockException(
          BlockError.INVALID,
          message(
              Qcow2CreateOptions.REFCOUNT_BITS
                  + ": cluster "
                  + cluster
                  + " has a refcount of "
                  + count
                  + ", "
                  + width.bits()
                  + " bits count to "
                  + width.max()));
    }
  }
}
