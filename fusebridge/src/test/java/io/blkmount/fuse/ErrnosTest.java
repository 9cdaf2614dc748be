// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class ErrnosTest {
  @Test
  void everyErrorHasAnErrnoOfItsOwn() {
    Map<BlockError, Integer> numbers = new EnumMap<>(BlockError.class);
    for (BlockError error : BlockError.values()) {
      numbers.put(error, Errnos.of(error));
    }

    assertThat(numbers.values()).doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @EnumSource(BlockError.class)
  void errnoLeadsBackToItsError(BlockError error) {
    assertThat(Errnos.errorOf(Errnos.of(error))).isEqualTo(error);
  }

  @Test
  void numbersAreThoseOfLinux() {
    assertThat(Errnos.of(BlockError.NO_SPACE)).isEqualTo(28);
    assertThat(Errnos.of(BlockError.TOO_BIG)).isEqualTo(27);
    assertThat(Errnos.of(BlockError.READ_ONLY)).isEqualTo(30);
    assertThat(Errnos.of(BlockError.NOT_SUPPORTED)).isEqualTo(95);
    assertThat(Errnos.of(BlockError.QUOTA)).isEqualTo(122);
  }

  @Test
  void whateverARequestThrowsBecomesAnErrno() {
    RequestFailures failures = new RequestFailures();

    assertThat(failures.errno("write", new BlockException(BlockError.NO_SPACE, "full")))
        .isEqualTo(28);
    assertThat(failures.errno("read", new CorruptImageException("L2 table", 512, "odd")))
        .isEqualTo(5);
    assertThat(failures.errno("read", new IOException())).isEqualTo(5);
    assertThat(failures.errno("read", new IllegalStateException("fault"))).isEqualTo(5);
    assertThat(failures.errno("read", new StackOverflowError())).isEqualTo(5);
    assertThat(failures.errno("read", new OutOfMemoryError())).isEqualTo(12);
  }
}
