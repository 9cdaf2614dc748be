// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.CrashStates.Judge;
import io.blkmount.block.testing.CrashStates.Kind;
import io.blkmount.block.testing.GuestModel.Begin;
import io.blkmount.block.testing.GuestModel.Verb;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Reader;
import io.blkmount.block.testing.SectorPattern;
import io.blkmount.block.testing.StoredBitmap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;

/**
 * Lets another judge look at each state, and compares the bitmaps with the disk: each one is there,
 * and in use unless it has every sector that changed and none that nobody asked to change.
 */
final class BitmapJudge implements Judge {
  private static final int EVERY = 3;
  private static final int SECTOR = SectorPattern.SECTOR;

  private final Judge judge;
  private final Qcow2Reader.Backing below;
  private final byte[] before;
  private final BitSet asked = new BitSet();
  private int leastSectors;
  private int states;

  /**
   * Creates a judge.
   *
   * @param judge who looks first
   * @param start the image before the first request, with no bitmap in use
   * @param below what lies below the image
   */
  BitmapJudge(Judge judge, PagedBytes start, Qcow2Reader.Backing below) {
    this.judge = judge;
    this.below = below;
    try {
      this.before = disk(start);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    this.leastSectors = before.length / SECTOR;
    asked.or(BitmapImages.storedIn(start, ImageShape.FINE));
  }

  private byte[] disk(PagedBytes image) throws IOException {
    Qcow2Reader reader = new Qcow2Reader(image, below);
    byte[] bytes = new byte[(int) reader.length()];
    reader.read(0, ByteBuffer.wrap(bytes));
    return bytes;
  }

  @Override
  public void guest(Object mark) {
    judge.guest(mark);
    if (mark instanceof Begin begin) {
      if (begin.verb() == Verb.SHRINK) {
        leastSectors = Math.min(leastSectors, begin.sector());
      } else if (begin.verb() != Verb.GROW && begin.count() > 0) {
        asked.set(begin.sector(), begin.sector() + begin.count());
      }
    }
  }

  @Override
  public void judge(PagedBytes state, Kind kind, int position) {
    if (++states % EVERY == 0) {
      try {
        judgeBitmaps(state.copy(), kind + " at event " + position);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    judge.judge(state, kind, position);
  }

  private void judgeBitmaps(PagedBytes state, String where) throws IOException {
    assertThat(StoredBitmap.all(state))
        .as(where)
        .extracting(StoredBitmap::name)
        .containsExactly(ImageShape.FINE, ImageShape.COARSE, ImageShape.DISABLED);
    for (StoredBitmap each : StoredBitmap.all(state)) {
      if (!each.isInUse()) {
        String context = where + ", bitmap " + each.name();
        BitSet bits = each.bits(state);
        if (each.isAuto()) {
          requireRight(bits, 1 << (each.granularityBits() - 9), state, context);
        } else {
          assertThat(bits.isEmpty()).as(context).isTrue();
        }
      }
    }
  }

  private void requireRight(BitSet bits, int sectorsPerBit, PagedBytes state, String context) {
    BitSet allowed = new BitSet();
    asked.stream().forEach(sector -> allowed.set(sector / sectorsPerBit));
    BitSet tooMany = (BitSet) bits.clone();
    tooMany.andNot(allowed);
    assertThat(tooMany.isEmpty()).as("%s: marked and not written: %s", context, tooMany).isTrue();
    requireMarked(bits, sectorsPerBit, state, context);
  }

  private void requireMarked(BitSet bits, int sectorsPerBit, PagedBytes state, String context) {
    byte[] now;
    try {
      now = disk(state);
    } catch (IOException e) {
      return; // what cannot be read is for the judge of the disk
    }
    for (int sector = 0; sector < Math.min(leastSectors, now.length / SECTOR); sector++) {
      int from = sector * SECTOR;
      boolean same = Arrays.equals(before, from, from + SECTOR, now, from, from + SECTOR);
      if (!same && !bits.get(sector / sectorsPerBit)) {
        throw new AssertionError(context + ": sector " + sector + " changed and is not marked");
      }
    }
  }
}
