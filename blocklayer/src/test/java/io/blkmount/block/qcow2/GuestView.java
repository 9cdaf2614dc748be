// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a guest sees of an image that may be damaged.
 *
 * @param pieces of 512 bytes; null for one that cannot be read
 */
record GuestView(List<@Nullable ByteBuffer> pieces) {
  private static final int PIECE = 512;

  /** Returns the view of the disk, opened read-only, on an empty backing file. */
  static GuestView of(PagedBytes image) throws IOException {
    return of(image, null);
  }

  /**
   * Returns the same of an image whose guest data may be in another file.
   *
   * @param data that file, or null
   */
  static GuestView of(PagedBytes image, @Nullable PagedBytes data) throws IOException {
    DriverOptions options = new DriverOptions("x", false, Map.of(), TestKey.SOURCE);
    List<@Nullable ByteBuffer> pieces = new ArrayList<>();
    try (DriverInstance disk = new Qcow2Driver().open(options, new Files(image, data))) {
      for (long at = 0; at < disk.length(); at += PIECE) {
        pieces.add(piece(disk, at));
      }
    }
    return new GuestView(pieces);
  }

  /** Copies of both files, so that looking changes neither. */
  private record Files(PagedBytes image, @Nullable PagedBytes data) implements ChildOpener {
    @Override
    public Child open(ChildRole role) {
      return copy(image);
    }

    @Override
    public Child openData(@Nullable String name) {
      return copy(Objects.requireNonNull(data, "the image keeps its data in another file"));
    }

    private static Child copy(PagedBytes bytes) {
      return new MemoryChild(MemoryInstance.file(bytes.copy(), 1));
    }
  }

  private static @Nullable ByteBuffer piece(DriverInstance disk, long at) {
    try {
      ByteBuffer piece = Images.read(disk, at, PIECE);
      return isHeader(piece) ? null : piece; // a repair changes it, whoever points there
    } catch (IOException e) {
      return null;
    }
  }

  private static boolean isHeader(ByteBuffer piece) {
    return piece.getInt(0) == Qcow2Header.MAGIC;
  }

  /** Fails unless everything that can be read in this view is the same in another one. */
  void assertIsKeptIn(GuestView other, String context) {
    assertThat(other.pieces).as(context).hasSameSizeAs(pieces);
    for (int i = 0; i < pieces.size(); i++) {
      if (pieces.get(i) != null) {
        assertThat(other.pieces.get(i)).as(context + ", piece " + i).isEqualTo(pieces.get(i));
      }
    }
  }
}
