// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bytes;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class BouncePoolTest {
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4095, 4096, 4097, 65536, 4 << 20, (4 << 20) + 1})
  void lendsExactlyTheLength(int length) {
    try (BouncePool.Bounce bounce = BouncePool.take(length)) {
      assertThat(bounce.buffer().position()).isZero();
      assertThat(bounce.buffer().limit()).isEqualTo(length);
      assertThat(bounce.buffer().capacity()).isEqualTo(length);
    }
  }

  @Test
  void shortBorrowerDoesNotSeeTheEndOfALongOne() {
    BouncePool.take(8192).close();

    try (BouncePool.Bounce bounce = BouncePool.take(5000)) {
      assertThat(bounce.buffer().capacity()).isEqualTo(5000);
    }
    try (BouncePool.Bounce bounce = BouncePool.take(8192)) {
      assertThat(bounce.buffer().capacity()).isEqualTo(8192);
    }
  }

  @Test
  void nothingThatABorrowerDidToTheBufferReachesTheNext() {
    for (int length : new int[] {8192, 6000, 8192, 8192}) {
      try (BouncePool.Bounce bounce = BouncePool.take(length)) {
        assertThat(bounce.buffer().order()).isEqualTo(ByteOrder.BIG_ENDIAN);
        assertThat(bounce.buffer().position()).isZero();
        assertThat(bounce.buffer().limit()).isEqualTo(length);

        bounce.buffer().order(ByteOrder.LITTLE_ENDIAN).limit(100).position(50);
      }
    }
  }

  @Test
  void twoBorrowersNeverShareBytes() {
    try (BouncePool.Bounce one = BouncePool.take(4096);
        BouncePool.Bounce other = BouncePool.take(4096)) {
      one.buffer().put(0, (byte) 1);
      other.buffer().put(0, (byte) 2);

      assertThat(one.buffer().get(0)).isEqualTo((byte) 1);
    }
  }

  @Test
  void buffersStartOnPages() {
    ByteBuffer buffer = BouncePool.allocate(5000);

    assertThat(buffer.alignmentOffset(0, 4096)).isZero();
    assertThat(buffer.capacity()).isEqualTo(5000);
  }
}
