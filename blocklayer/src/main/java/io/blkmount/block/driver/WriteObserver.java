// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/**
 * An instance that follows which parts of its disk its users change, such as one that keeps dirty
 * bitmaps. Its data methods would not tell: requests come to them padded, split and without what
 * was found to need no change.
 */
public interface WriteObserver {
  /** Looks at nothing. */
  WriteObserver NONE =
      new WriteObserver() {
        @Override
        public void changed(long offset, long length) {
          // Nobody asked.
        }

        @Override
        public boolean isWatching() {
          return false;
        }
      };

  /**
   * Says that a range was written, zeroed or discarded, or that this failed half way. Called when
   * the bytes have changed, by a request that is not yet over: whoever waits for requests in flight
   * waits for this, too.
   *
   * @param offset first byte, any alignment
   * @param length in bytes, at least 1
   */
  void changed(long offset, long length);

  /** Returns whether a change that is not told would be missed. */
  boolean isWatching();
}
