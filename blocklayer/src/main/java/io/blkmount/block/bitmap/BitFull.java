// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bitmap;

import org.jspecify.annotations.Nullable;

/** A part in which every bit is set: one object for all of a level. */
final class BitFull extends BitNode {
  private final int level;

  BitFull(int level) {
    this.level = level;
  }

  @Override
  long count() {
    return span(level);
  }

  @Override
  boolean isSet(long first, long last) {
    return true;
  }

  @Override
  BitNode set(long first, long last) {
    return this;
  }

  @Override
  @Nullable BitNode clear(long first, long last) {
    BitNode own = level == 0 ? BitLeaf.filled() : BitBranch.filled(level);
    return own.clear(first, last);
  }

  @Override
  long nextSet(long from) {
    return from;
  }

  @Override
  long nextClear(long from) {
    return NONE;
  }

  @Override
  long word(long index) {
    return -1;
  }

  @Override
  BitNode addWord(long index, long bits) {
    return this;
  }
}
