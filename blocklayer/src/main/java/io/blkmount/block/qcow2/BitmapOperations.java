// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bitmap.DirtyBitmap;
import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BitmapInfo;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What users do with the persistent bitmaps of an open image; the rules are QEMU's. */
final class BitmapOperations implements BitmapStore {
  private static final long MAX_DEFAULT_GRANULARITY = 64 << 10;
  private static final long MIN_DEFAULT_GRANULARITY = 4 << 10;

  private final Metadata metadata;
  private final Qcow2Bitmaps bitmaps;

  BitmapOperations(Metadata metadata, Qcow2Bitmaps bitmaps) {
    this.metadata = metadata;
    this.bitmaps = bitmaps;
  }

  @Override
  public List<BitmapInfo> bitmaps() throws IOException {
    List<BitmapInfo> infos = new ArrayList<>();
    bitmaps.look(set -> set.all().forEach(each -> infos.add(each.info())));
    return infos;
  }

  /** A cluster, but neither very small nor very large. */
  @Override
  public long defaultGranularity() {
    return Math.min(
        MAX_DEFAULT_GRANULARITY,
        Math.max(MIN_DEFAULT_GRANULARITY, metadata.geometry().clusterSize()));
  }

  @Override
  public void addBitmap(String name, long granularity, boolean recording) throws IOException {
    int granularityBits = requireGranularity(granularity);
    bitmaps.change(
        set -> {
          bitmaps.requireTold();
          requireNewName(set, name);
          DirtyBitmap content = new DirtyBitmap(metadata.length(), granularityBits);
          content.recording(recording);
          PersistentBitmap added = PersistentBitmap.added(name, content);
          requireRoom(set, added, granularityBits);
          set.all().add(added);
        });
  }

  private static int requireGranularity(long granularity) throws BlockException {
    int bits = Long.numberOfTrailingZeros(granularity);
    if (!Alignment.isPowerOfTwo(granularity)
        || bits < DirtyBitmap.MIN_GRANULARITY_BITS
        || bits > DirtyBitmap.MAX_GRANULARITY_BITS) {
      throw new BlockException(
          BlockError.INVALID,
          "granularity " + granularity + ": not a power of two from 512 to 2147483648");
    }
    return bits;
  }

  private static void requireNewName(BitmapSet set, String name) throws BlockException {
    int length = HostName.encode(name).length;
    if (length < 1 || length > BitmapRecord.MAX_NAME) {
      throw new BlockException(
          BlockError.INVALID,
          "bitmap name of " + length + " bytes: not in 1.." + BitmapRecord.MAX_NAME);
    }
    if (name.indexOf('\0') >= 0) { // to QEMU the name ends there, and two of one name are damage
      throw new BlockException(
          BlockError.INVALID, "bitmap name \"" + HostName.printable(name) + "\": a NUL is in it");
    }
    PersistentBitmap other = set.find(name);
    if (other != null) {
      throw new BlockException(BlockError.INVALID, "bitmap " + other.printable() + " exists");
    }
  }

  private void requireRoom(BitmapSet set, PersistentBitmap added, int granularityBits)
      throws BlockException {
    String obstacle = null;
    if (!metadata.isVersion3()) {
      obstacle = "images of version 2 keep none";
    } else if (!set.canHold(metadata.length(), granularityBits)) {
      obstacle = "it would be too long with a granularity of " + (1L << granularityBits);
    } else if (!set.hasRoomFor(added.record()) || !set.canHoldAll(metadata.length(), added)) {
      obstacle = "the image has as many as it can";
    }
    if (obstacle != null) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED, "cannot add bitmap " + added.printable() + ": " + obstacle);
    }
  }

  @Override
  public void removeBitmap(String name) throws IOException {
    bitmaps.change(
        set -> {
          PersistentBitmap bitmap = require(set, name);
          bitmaps.prepareHeader();
          set.remove(bitmap);
        });
  }

  @Override
  public void recordBitmap(String name, boolean recording) throws IOException {
    change(name, content -> content.recording(recording));
  }

  @Override
  public void clearBitmap(String name) throws IOException {
    change(name, DirtyBitmap::clear);
  }

  @Override
  public void mergeBitmaps(String target, List<String> sources) throws IOException {
    bitmaps.change(
        set -> {
          List<DirtyBitmap> contents = new ArrayList<>();
          for (String source : sources) {
            contents.add(requireContent(set, source));
          }
          change(set, target, content -> contents.forEach(content::merge));
        });
  }

  /** What is done to a bitmap in memory. */
  private interface Change {
    void apply(DirtyBitmap content);
  }

  private void change(String name, Change change) throws IOException {
    bitmaps.change(set -> change(set, name, change));
  }

  private static void change(BitmapSet set, String name, Change change) throws IOException {
    PersistentBitmap bitmap = require(set, name);
    DirtyBitmap content = requireContent(set, name);
    set.setInUse(each -> each == bitmap);
    change.apply(content);
  }

  @Override
  public @Nullable ByteRange nextDirty(String name, long offset) throws IOException {
    List<ByteRange> found = new ArrayList<>();
    bitmaps.look(
        set -> {
          ByteRange dirty = requireContent(set, name).nextDirty(offset);
          if (dirty != null) {
            found.add(dirty);
          }
        });
    return found.isEmpty() ? null : found.get(0);
  }

  private static PersistentBitmap require(BitmapSet set, String name) throws BlockException {
    PersistentBitmap found = set.find(name);
    if (found == null) {
      throw new BlockException(
          BlockError.NOT_FOUND, "no bitmap has the name \"" + HostName.printable(name) + '"');
    }
    return found;
  }

  private static DirtyBitmap requireContent(BitmapSet set, String name) throws BlockException {
    PersistentBitmap found = require(set, name);
    DirtyBitmap content = found.content();
    if (content == null) {
      throw new BlockException(
          BlockError.INVALID,
          "bitmap "
              + found.printable()
              + (found.isInconsistent()
                  ? " is inconsistent: the image was not closed while it was in use; remove it"
                  : " has extra data that is not known"));
    }
    return content;
  }
}
