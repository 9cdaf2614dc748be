// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Makes the first cluster of an image say something else, at once: a power cut leaves what it said
 * or what it shall say. A disk writes a sector whole or not at all, so that the first sector
 * decides. If what is read behind it changes, too, the header takes a detour, on which it is
 * complete at any time:
 *
 * <pre>
 * sector 0              | sectors behind it                | aside
 * old header, records   | old records, old name            |
 * old header, records   | old records, old name            | new records, new name     1
 * new header, skip ...  | ............................... -> new records, new name     2
 * new header, skip ...  | new records, new name ......... -> new records, new name     3
 * new header, records   | new records, new name            |                           4
 * </pre>
 *
 * <p>A record of a type that nobody knows skips what lies between. It is only there after a power
 * cut, does no harm, and goes with the next change.
 */
final class HeaderSwitch {
  /** Type of the record that skips; not in use for anything else. */
  static final int SKIP = 0x736b6970;

  /** What a disk writes whole or not at all. */
  private static final int SECTOR = 512;

  private final BlockIo file;
  private final FirstCluster from;
  private final FirstCluster to;
  private final int aside;

  /**
   * Prepares a switch.
   *
   * @param from what is in the file
   * @param to what shall be; of the same cluster size
   */
  HeaderSwitch(BlockIo file, FirstCluster from, FirstCluster to) {
    this.file = file;
    this.from = from;
    this.to = to;
    int headerLength = to.header().headerLength();
    int behind = Math.max(from.end(), to.end()) - headerLength;
    this.aside = headerLength + (int) Alignment.up(behind, HeaderExtensions.RECORD_HEAD);
  }

  /**
   * Fails unless there is room for the detour, if it is needed.
   *
   * @param rules for the message
   * @throws BlockException with {@code NO_SPACE}
   */
  void requireRoom(AmendRules rules) throws BlockException {
    int asideEnd = aside + to.tail().remaining();
    boolean fits =
        asideEnd <= to.header().clusterSize()
            && to.header().headerLength() + HeaderExtensions.RECORD_HEAD <= SECTOR;
    if (needsDetour() && !fits) {
      throw new BlockException(
          BlockError.NO_SPACE,
          rules.message(
              "old and new header need "
                  + asideEnd
                  + " bytes side by side, the first cluster has "
                  + to.header().clusterSize()));
    }
  }

  /** Returns the first byte behind the first sector that has to change, or where all ends. */
  private int firstChange() {
    int at = SECTOR;
    while (at < to.end() && to.bytes().get(at) == from.bytes().get(at)) {
      at++;
    }
    return at;
  }

  private boolean needsDetour() {
    return firstChange() < Math.min(to.end(), from.end());
  }

  /**
   * Switches, durably.
   *
   * @throws IOException if it failed; the file says what it said before, or says the new already
   * @throws HeaderFields.UndecidedException if it failed and nobody knows whether
   */
  void run() throws IOException {
    ByteBuffer start = sector(to.bytes());
    if (needsDetour()) {
      file.write(aside, to.tail(), WriteFlags.NONE);
      file.flush();
      ByteBuffer detour = detour();
      switchStart(sector(from.bytes()), detour);
      writeBehind(SECTOR);
      switchStart(detour, start);
    } else {
      writeBehind(firstChange());
      switchStart(sector(from.bytes()), start);
    }
    clearRest();
  }

  private void writeBehind(int start) throws IOException {
    if (start < to.end()) {
      file.write(start, to.bytes().slice(start, to.end() - start), WriteFlags.NONE);
      file.flush();
    }
  }

  private ByteBuffer detour() {
    ByteBuffer sector = ByteBuffer.allocate(SECTOR).put(to.headerWithTailAt(aside));
    int skipped = aside - to.header().headerLength() - HeaderExtensions.RECORD_HEAD;
    return sector.putInt(SKIP).putInt(skipped).position(SECTOR);
  }

  private static ByteBuffer sector(ByteBuffer cluster) {
    return cluster.slice(0, SECTOR).position(SECTOR);
  }

  private void switchStart(ByteBuffer before, ByteBuffer after) throws IOException {
    new HeaderFields(file, to.header().clusterBits())
        .switchStart(before.duplicate(), after.duplicate());
  }

  /** What nobody reads any more need not lie around. */
  private void clearRest() throws IOException {
    int start = Math.max(SECTOR, to.end());
    int end = needsDetour() ? aside + to.tail().remaining() : from.end();
    if (start < end) {
      file.writeZeroes(start, end - start, WriteFlags.NONE);
      file.flush();
    }
  }
}
