// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.InternalSnapshot;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Fails every host call of each operation on snapshots: disk and list are as before, nothing leaks,
 * and the same operation succeeds once the host has recovered.
 */
final class SnapshotFailureTest {
  /** All tables are looked for, and may not be found. */
  private static final TestImage.Options GUARDED =
      new TestImage.Options(DiscardMode.UNMAP, false, Map.of("overlap-check", "all"));

  private enum Operation {
    TAKE,
    APPLY,
    DELETE;

    void run(TestImage image) throws IOException {
      Snapshottable snapshots = (Snapshottable) image.driver();
      switch (this) {
        case TAKE -> snapshots.createSnapshot(NewSnapshot.ofDisk("more", Instant.EPOCH));
        case APPLY -> snapshots.applySnapshot("first");
        case DELETE -> snapshots.deleteSnapshot("first");
      }
    }

    /** Returns how many snapshots there are afterwards. */
    int count() {
      return this == TAKE ? 2 : this == APPLY ? 1 : 0;
    }
  }

  static Stream<Arguments> operations() {
    ImageShape small = ImageShape.of(512, (64 << 10) + 512);
    return Stream.of(
            small.withSnapshot(),
            small.withVersion2().withSnapshot(),
            ImageShape.of(4096, 1 << 20).withRefcountBits(4).withSnapshot())
        .flatMap(shape -> Stream.of(Operation.values()).map(each -> Arguments.of(shape, each)));
  }

  @ParameterizedTest
  @MethodSource("operations")
  void failureChangesNothingAndTheRetrySucceeds(ImageShape shape, Operation operation)
      throws IOException {
    PreparedImage prepared = PreparedImage.of(shape);
    PagedBytes content = changed(prepared);
    for (FaultKind kind : FaultKind.values()) {
      int n = 0;
      while (attempt(content, operation, kind, n)) {
        n++;
      }
      assertThat(n).isGreaterThan(5);
    }
  }

  /** The disk has clusters of its own, some that the snapshot has, too, and some to be freed. */
  private static PagedBytes changed(PreparedImage prepared) throws IOException {
    MemoryInstance host = prepared.host();
    int cluster = prepared.shape().clusterSize();
    try (TestImage image = TestImage.open(host, null)) {
      image.io().write(cluster, Images.bytes(5 * cluster, 8), WriteFlags.NONE);
    }
    return host.content();
  }

  /** Fails the n-th host call; returns whether there was one. */
  private static boolean attempt(PagedBytes content, Operation operation, FaultKind kind, int n)
      throws IOException {
    String context = operation + " with " + kind + " at host call " + n;
    MemoryInstance memory = MemoryInstance.file(content.copy(), 1);
    FaultInstance host =
        new FaultInstance(memory, FaultKind.CALLS, kind.error(), kind.halfWrites());
    TestImage image = TestImage.open(host, null, GUARDED);
    ByteBuffer before = all(image);
    kind.arm(host, n);
    boolean failed = fails(image, operation);
    boolean tripped = host.tripped();
    host.heal();
    if (failed) {
      assertThat(tripped).as(context).isTrue();
      requireClean(memory, context);
      if (!image.driver().support().writable()) {
        return tripped; // whether the header was switched is not known
      }
      assertThat(snapshots(image)).as(context).hasSize(1);
      assertThat(all(image).equals(before)).as(context).isTrue();
      operation.run(image);
    }
    assertThat(snapshots(image)).as(context).hasSize(operation.count());
    image.io().write(0, Images.bytes(512, 3), WriteFlags.NONE);
    image.close();
    requireClean(memory, context + ", after close");
    return tripped;
  }

  private static boolean fails(TestImage image, Operation operation) {
    try {
      operation.run(image);
      return false;
    } catch (IOException expected) {
      return true; // the point of the test
    }
  }

  private static ByteBuffer all(TestImage image) throws IOException {
    return Images.read(image.io(), 0, (int) image.io().length());
  }

  private static List<InternalSnapshot> snapshots(TestImage image) throws IOException {
    return ((Snapshottable) image.driver()).snapshots();
  }

  private static void requireClean(MemoryInstance memory, String context) {
    assertThat(Qcow2Checker.check(memory.content()))
        .as(context)
        .matches(Qcow2Checker.Findings::isClean);
  }
}
