// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/** An instance whose image can keep dirty bitmaps. */
public interface BitmapKeeper {
  /** Returns the bitmaps; the same object each time. */
  BitmapStore bitmapStore();
}
