// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.qcow2.FailureAttempt.Request;
import java.io.IOException;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Fails every host call of each kind of request, one after the other: nothing outside the request's
 * range may change, the image stays sound, the same request succeeds once the host has recovered,
 * and no cluster is lost.
 */
final class Qcow2FailureTest {
  static Stream<Arguments> requests() {
    ImageShape small = ImageShape.of(512, (256 << 10) + 512);
    ImageShape medium = ImageShape.of(4096, 2 << 20);
    ImageShape extended = ImageShape.of(16384, 3 << 20).withExtendedL2();
    return Stream.of(
            small,
            small.withRefcountBits(64).withBacking(128 << 10),
            small.withVersion2().withBacking(512 << 10),
            medium.withBacking((1 << 20) + 512),
            medium.withVersion2(),
            small.withSnapshot(),
            medium.withRefcountBits(2).withBacking(1 << 20).withSnapshot(),
            small.withCompression("zlib"),
            medium.withCompression("zstd").withSnapshot(),
            extended.withCompression("zlib").withBacking(1 << 20),
            extended.withBacking(2 << 20).withSnapshot(),
            small.withBitmaps())
        .flatMap(shape -> Stream.of(Request.values()).map(each -> Arguments.of(shape, each)));
  }

  @ParameterizedTest
  @MethodSource("requests")
  void failureTouchesNothingElseAndTheRetrySucceeds(ImageShape shape, Request request)
      throws IOException {
    PreparedImage prepared = PreparedImage.of(shape);

    for (FaultKind kind : FaultKind.values()) {
      boolean tripped = true;
      for (int n = 0; tripped; n++) {
        tripped = new FailureAttempt(prepared, request, kind, n).run(kind, n);
      }
    }
  }
}
