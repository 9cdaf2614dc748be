// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.Amendable.Secrets;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.StateJudge;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Ends a change of keys in the middle: some key opens the image, and the disk is the same. */
final class Qcow2KeysCrashTest {
  private static final int STATES = 30;

  /** Each measures this machine for every new key. */
  private static final int ATTEMPTS = 3;

  private static final int LENGTH = 1 << 20;
  private static final Map<String, byte[]> KEYS =
      Map.of(
          "first", TestKey.bytes(),
          "second", "second".getBytes(StandardCharsets.US_ASCII),
          "third", "third".getBytes(StandardCharsets.US_ASCII));
  private static final Secrets SECRETS = id -> KEYS.get(id).clone();

  /** One key is exchanged for another, and that for a third; an amendment at a time. */
  enum Exchange {
    IN_ANY_SLOT("", ""),
    IN_CHOSEN_SLOTS("encrypt.keyslot=7,", "encrypt.keyslot=3,");

    private final List<String> amendments;

    Exchange(String slotOfSecond, String slotOfThird) {
      String add = "encrypt.state=active,encrypt.iter-time=1,";
      String erase = "encrypt.state=inactive,encrypt.old-secret=";
      amendments =
          List.of(
              add + slotOfSecond + "encrypt.old-secret=first,encrypt.new-secret=second",
              erase + "first",
              add + slotOfThird + "encrypt.old-secret=second,encrypt.new-secret=third",
              erase + "second");
    }

    void run(DriverInstance host) throws IOException {
      for (String amendment : amendments) {
        new Qcow2Driver().amend("disk", new MemoryChild(host), AmendCase.map(amendment), SECRETS);
      }
    }
  }

  private final PagedBytes image = image();

  private static PagedBytes image() {
    MemoryInstance host =
        MemoryInstance.file(ImageShape.of(4096, LENGTH).withEncryption("luks").create(), 1);
    try (TestImage image = TestImage.open(host, null)) {
      image.pipeline().write(0, Images.bytes(8192, 1), WriteFlags.NONE);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return host.content();
  }

  /** Returns whether a key opens an image; then the disk is as it was. */
  private static boolean opens(PagedBytes image, byte[] key, String said) throws IOException {
    DriverOptions options = new DriverOptions("disk", false, Map.of(), name -> key.clone());
    MemoryChild copy = new MemoryChild(MemoryInstance.file(image.copy(), 1));
    try (DriverInstance disk = new Qcow2Driver().open(options, copy.opener())) {
      ByteBuffer start = Images.read(disk, 0, 8192);
      assertThat(start).as(said).isEqualTo(Images.bytes(8192, 1));
      return true;
    } catch (BlockException e) {
      assertThat(e.error()).as(said).isEqualTo(BlockError.ACCESS_DENIED);
      return false;
    }
  }

  private static void requireSomeKey(PagedBytes state, String said) throws IOException {
    boolean opened = false;
    for (byte[] key : KEYS.values()) {
      opened = opened || opens(state, key, said);
    }
    assertThat(opened).as(said).isTrue();
  }

  @ParameterizedTest
  @EnumSource
  void afterACrashSomeKeyOpens(Exchange exchange) throws IOException {
    CrashInstance host = new CrashInstance(image);
    exchange.run(host);
    int count = STATES * Images.SCALE;

    int states =
        StateJudge.judge(
            host.log(),
            Qcow2KeysCrashTest::requireSomeKey,
            exchange + "",
            System.nanoTime(),
            count);

    assertThat(states).isGreaterThan(STATES / 2);
    assertThat(opens(host.content(), KEYS.get("third"), "end")).isTrue();
    assertThat(opens(host.content(), KEYS.get("second"), "end")).isFalse();
    assertThat(new Qcow2Driver().activeKeySlots("disk", new MemoryChild(host))).hasSize(1);
  }

  @ParameterizedTest
  @EnumSource
  void afterAFailureSomeKeyOpens(Exchange exchange) throws IOException {
    new FailureSweep(image, ATTEMPTS * Images.SCALE)
        .run(exchange::run, Qcow2KeysCrashTest::requireSomeKey, exchange + "");
  }
}
