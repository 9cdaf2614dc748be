// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.WriteObserver;
import java.io.IOException;

/**
 * Does a change of any length as a row of serialising requests of bounded length. Reads of a piece
 * wait as long as that takes; a whole disk at once would stop all of them.
 */
final class LongChanges {
  /** A multiple of every unit, and long enough for a call to the host to be worth it. */
  static final long PIECE_LENGTH = 256L << 20;

  private final Layer layer;
  private final FlushSequence flushes;
  private final WriteObserver observer;

  LongChanges(Layer layer, FlushSequence flushes, WriteObserver observer) {
    this.layer = layer;
    this.flushes = flushes;
    this.observer = observer;
  }

  /** What is done with one piece. */
  interface Piece {
    /** Changes a piece that is tracked, and has its whole units to itself. */
    void change(long start, long stop) throws IOException;
  }

  /** Does {@link #inPieces} for a change of bytes: the observer is told of each piece. */
  void observedInPieces(long offset, long end, Piece piece) throws IOException {
    inPieces(
        offset,
        end,
        (start, stop) -> {
          try {
            piece.change(start, stop);
          } finally { // of a failure as well: some bytes may have changed
            observer.changed(start, stop - start);
          }
        });
  }

  /**
   * Does a change piece by piece; a failure leaves the later ones undone.
   *
   * @param offset first byte
   * @param end one past the last byte
   * @param piece what to do
   */
  void inPieces(long offset, long end, Piece piece) throws IOException {
    long start = offset;
    while (start < end) {
      long stop = Math.min(end, (start / PIECE_LENGTH + 1) * PIECE_LENGTH);
      try (TrackedRequest request = layer.beginChange(start, stop, layer.changeUnit())) {
        piece.change(start, stop);
      } finally {
        flushes.changeEnded();
      }
      start = stop;
    }
  }
}
