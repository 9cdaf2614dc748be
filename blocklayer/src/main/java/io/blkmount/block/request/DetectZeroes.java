// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.WriteFlags;
import java.nio.ByteBuffer;

/** Turns writes whose bytes are all zero into zero requests, where that is wanted and of use. */
final class DetectZeroes {
  private final DetectZeroesMode mode;
  private final ZeroRequests zeroes;

  DetectZeroes(DetectZeroesMode mode, ZeroRequests zeroes) {
    this.mode = mode;
    this.zeroes = zeroes;
  }

  /**
   * Returns whether a write shall become a zero request.
   *
   * @param source what is to be written; not consumed
   */
  boolean applyTo(ByteBuffer source) {
    return mode != DetectZeroesMode.OFF && zeroes.isNative() && Zeroes.isZero(source);
  }

  /**
   * Returns the flags of the zero request.
   *
   * @param flags of the write
   */
  WriteFlags zeroFlags(WriteFlags flags) {
    WriteFlags plain = flags.without(WriteFlags.NO_FALLBACK).without(WriteFlags.MAY_UNMAP);
    return mode == DetectZeroesMode.UNMAP ? plain.with(WriteFlags.MAY_UNMAP) : plain;
  }
}
