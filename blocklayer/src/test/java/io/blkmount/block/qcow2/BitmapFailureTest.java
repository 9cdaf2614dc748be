// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Checker.Findings;
import io.blkmount.block.testing.StoredBitmap;
import java.io.IOException;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Fails every host call of an operation and of the close that follows: the image stays sound, data
 * that was flushed stays, and a bitmap is right or in use.
 */
final class BitmapFailureTest {
  private static final int AT = 64 << 10;
  private static final int LENGTH = 5000;

  /** What is done before the image is closed. */
  enum Operation {
    WRITE,
    ADD,
    REMOVE,
    REMOVE_ALL,
    CLEAR,
    MERGE,
    DISABLE;

    void run(TestImage image) throws IOException {
      BitmapStore store = BitmapImages.store(image);
      switch (this) {
        case WRITE -> {
          image.io().write(AT, Images.bytes(LENGTH, 3), WriteFlags.NONE);
          image.io().flush();
        }
        case ADD -> store.addBitmap("new", 512, true);
        case REMOVE -> store.removeBitmap(ImageShape.FINE);
        case REMOVE_ALL -> {
          store.removeBitmap(ImageShape.FINE);
          store.removeBitmap(ImageShape.COARSE);
          store.removeBitmap(ImageShape.DISABLED);
        }
        case CLEAR -> store.clearBitmap(ImageShape.FINE);
        case MERGE -> store.mergeBitmaps(ImageShape.DISABLED, List.of(ImageShape.FINE));
        case DISABLE -> store.recordBitmap(ImageShape.FINE, false);
      }
    }
  }

  private final PagedBytes start = start();

  /** Sectors 10 to 19 are marked. */
  private static PagedBytes start() {
    MemoryInstance file =
        MemoryInstance.file(ImageShape.of(512, (256 << 10) + 512).withBitmaps().create(), 1);
    try (TestImage image = TestImage.open(file, null)) {
      image.io().write(10 * 512, Images.bytes(10 * 512, 1), WriteFlags.NONE);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return file.content();
  }

  @ParameterizedTest
  @EnumSource
  void bitmapsAreRightOrInUse(Operation operation) throws IOException {
    for (FaultKind kind : FaultKind.values()) {
      boolean tripped = true;
      for (int n = 0; tripped; n++) {
        tripped = attempt(operation, kind, n);
      }
    }
  }

  private boolean attempt(Operation operation, FaultKind kind, int n) throws IOException {
    String context = operation + " with " + kind + " at host call " + n;
    MemoryInstance memory = MemoryInstance.file(start.copy(), 1);
    FaultInstance host =
        new FaultInstance(memory, FaultKind.CALLS, kind.error(), kind.halfWrites());
    TestImage image = TestImage.open(host, null);
    kind.arm(host, n);
    boolean done = succeeds(() -> operation.run(image));
    boolean closed = succeeds(image::close);
    boolean tripped = host.tripped(); // also where it does not matter, such as a hole not punched
    assertThat((done && closed) || tripped).as(context).isTrue();
    host.heal();

    requireRight(memory.content(), operation, done, closed, context);
    workOn(memory, context);
    return tripped;
  }

  /** What may fail. */
  private interface Step {
    void run() throws IOException;
  }

  private static boolean succeeds(Step step) {
    try {
      step.run();
      return true;
    } catch (IOException expected) {
      return false; // the point of the test
    }
  }

  private static void requireRight(
      PagedBytes image, Operation operation, boolean done, boolean closed, String context)
      throws IOException {
    Findings findings = Qcow2Checker.check(image);
    assertThat(findings).as(context).matches(Findings::isConsistent);
    if (closed) { // what was not done has left nothing behind
      assertThat(findings).as(context).matches(Findings::isClean);
    }
    for (StoredBitmap each : StoredBitmap.all(image)) {
      if (!each.isInUse()) {
        requireRight(each, each.bits(image), operation, done, context);
      }
    }
  }

  private static void requireRight(
      StoredBitmap bitmap, BitSet bits, Operation operation, boolean done, String context) {
    BitSet before = new BitSet();
    BitmapImages.mark(before, 5120, 5120, bitmap.granularityBits());
    boolean isFine = bitmap.name().equals(ImageShape.FINE);
    boolean isDisabled = bitmap.name().equals(ImageShape.DISABLED);
    BitSet after = (BitSet) before.clone();
    if (operation == Operation.WRITE) {
      BitmapImages.mark(after, AT, LENGTH, bitmap.granularityBits());
    }
    if (operation == Operation.CLEAR && isFine) {
      after.clear();
    }
    if (isDisabled || bitmap.name().equals("new")) {
      before.clear();
      if (operation != Operation.MERGE) {
        after.clear();
      }
    }
    if (done) { // what could not be stored after that is in use
      assertThat(bits).as("%s: %s", context, bitmap).isEqualTo(after);
    } else {
      assertThat(bits).as("%s: %s", context, bitmap).isIn(before, after);
    }
  }

  /** The next who opens the image finds nothing in his way. */
  private static void workOn(MemoryInstance memory, String context) throws IOException {
    try (TestImage image = TestImage.open(memory, null)) {
      image.io().write(0, Images.bytes(30_000, 5), WriteFlags.NONE);
      BitmapImages.store(image).addBitmap("another", 4096, true);
      image.io().writeZeroes(4096, 4096, WriteFlags.MAY_UNMAP);
    }
    assertThat(Qcow2Checker.check(memory.content())).as(context).matches(Findings::isConsistent);
    BitSet expected = new BitSet();
    expected.set(1);
    assertThat(BitmapImages.storedIn(memory.content(), "another")).as(context).isEqualTo(expected);
  }
}
