// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/** Headers, keys and clocks for tests. */
final class LuksHeaders {
  /** Finds that every machine is slow, so that derivations have the fewest iterations. */
  static final IterationTimer SLOW_MACHINE = new IterationTimer(leaping(10_000_000_000L));

  static final LuksOptions OPTIONS = new LuksOptions(CipherSpec.DEFAULT, HashAlgorithm.SHA256, 10);

  private LuksHeaders() {}

  /** Returns a clock that leaps forward whenever it is looked at. */
  static LongSupplier leaping(long nanos) {
    AtomicLong now = new AtomicLong();
    return () -> now.addAndGet(nanos);
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** Returns a key whose bytes count up from {@code first}. */
  static SecretBytes key(int length, int first) {
    SecretBytes key = SecretBytes.zeros(length);
    for (int i = 0; i < length; i++) {
      key.bytes()[i] = (byte) (first + i);
    }
    return key;
  }

  /** Returns a header of 64-byte keys whose slots are all free. */
  static LuksHeader header() {
    try (SecretBytes masterKey = key(OPTIONS.cipher().keyLength(), 1)) {
      FixedBytes salt = FixedBytes.zeros(LuksHeader.SALT_LENGTH);
      MasterKeyDigest digest = MasterKeyDigest.of(masterKey, OPTIONS.hash(), salt, 1);
      return LuksHeader.laidOut(OPTIONS, "c0ffee00-1111-2222-3333-444455556666", digest);
    }
  }
}
