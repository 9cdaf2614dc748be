// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.qcow2.FailureAttempt.Request;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Checker.Findings;
import java.io.IOException;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
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

  /** An L1 table of so many clusters needs refcount blocks as well, in clusters of their own. */
  @ParameterizedTest
  @EnumSource
  void failedGrowthOfTheL1TableLeaksNothing(FaultKind kind) throws IOException {
    PagedBytes start = ImageShape.of(512, 1 << 20).withRefcountBits(64).create();
    int n = 0;
    while (isGrownWithout(kind, n, start)) {
      n++;
    }
    assertThat(n).isGreaterThan(10);
  }

  /** Fails the n-th host call; returns whether there was one. */
  private static boolean isGrownWithout(FaultKind kind, int n, PagedBytes start)
      throws IOException {
    MemoryInstance memory = MemoryInstance.file(start.copy(), 1);
    FaultInstance host =
        new FaultInstance(memory, FaultKind.CALLS, kind.error(), kind.halfWrites());
    TestImage image = TestImage.open(host, null);
    kind.arm(host, n);
    boolean failed = false;
    try {
      image.pipeline().truncate(256 << 20, Preallocation.OFF);
    } catch (IOException expected) {
      failed = true; // the point of the test
    }
    boolean tripped = host.tripped();
    host.heal();
    String context = kind + " at host call " + n;
    assertThat(failed).as(context).isEqualTo(tripped);
    if (image.driver().support().writable()) {
      image.close();
      assertThat(Qcow2Checker.check(memory.content())).as(context).matches(Findings::isClean);
    } else { // whether the header was switched is not known
      assertThatThrownBy(image::close).as(context).hasMessageContaining("the old or the new one");
      assertThat(Qcow2Checker.check(memory.content())).as(context).matches(Findings::isConsistent);
    }
    return tripped;
  }
}
