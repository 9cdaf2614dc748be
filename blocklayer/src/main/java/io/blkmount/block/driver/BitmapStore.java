// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import io.blkmount.block.bytes.ByteRange;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The dirty bitmaps of an image: which parts of its disk were written, for incremental backups.
 * What is changed here is stored when the image is closed; only {@link #removeBitmap} is durable at
 * once. All calls are taken while requests are in flight.
 *
 * <p>Calls that change something fail with {@code READ_ONLY} if the image is. Those that name a
 * bitmap fail with {@code NOT_FOUND} if there is none of that name and, all but {@code
 * removeBitmap}, with {@code INVALID} if it is inconsistent.
 */
public interface BitmapStore {
  /**
   * Returns all bitmaps.
   *
   * @throws IOException if they cannot be read
   */
  List<BitmapInfo> bitmaps() throws IOException;

  /** Returns the granularity that suits the image, in bytes. */
  long defaultGranularity();

  /**
   * Adds a clean bitmap.
   *
   * @param name that no other has; 1 to 1023 bytes in UTF-8
   * @param granularity in bytes, a power of two from 512 to 2 GiB
   * @param recording whether writes are marked from now on
   * @throws IOException with {@code INVALID} if there is one of that name, {@code NOT_SUPPORTED} if
   *     the image cannot keep such a bitmap
   */
  void addBitmap(String name, long granularity, boolean recording) throws IOException;

  /**
   * Removes a bitmap, durably.
   *
   * @param name of it
   * @throws IOException if the image cannot be written; the bitmap stays then
   */
  void removeBitmap(String name) throws IOException;

  /**
   * Begins or stops to mark writes.
   *
   * @param name of the bitmap
   * @param recording whether to
   * @throws IOException if the image cannot be written
   */
  void recordBitmap(String name, boolean recording) throws IOException;

  /**
   * Takes all marks.
   *
   * @param name of the bitmap
   * @throws IOException if the image cannot be written
   */
  void clearBitmap(String name) throws IOException;

  /**
   * Marks in one bitmap what is marked in others. Granules of another size are rounded out.
   *
   * @param target recording or not
   * @param sources which stay as they are
   * @throws IOException if one cannot be used; nothing is merged then
   */
  void mergeBitmaps(String target, List<String> sources) throws IOException;

  /**
   * Returns the first run of marked bytes that ends after {@code offset}.
   *
   * @param name of the bitmap
   * @param offset in bytes, not negative
   * @return whole granules, cut off at {@code offset} and at the end of the disk; null if there is
   *     none
   * @throws IOException if the bitmap cannot be read
   */
  @Nullable ByteRange nextDirty(String name, long offset) throws IOException;
}
