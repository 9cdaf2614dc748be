// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.crypto.CipherAlgorithm;
import io.blkmount.block.crypto.CipherMode;
import io.blkmount.block.crypto.CipherSpec;
import io.blkmount.block.crypto.HashAlgorithm;
import io.blkmount.block.crypto.IterationTimer;
import io.blkmount.block.crypto.LuksCreator;
import io.blkmount.block.crypto.LuksKeyArea;
import io.blkmount.block.crypto.LuksOptions;
import io.blkmount.block.crypto.SecretBytes;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a new image is encrypted, from the options of {@code qemu-img create -o}.
 *
 * @param method of {@link Qcow2Header}
 * @param luks how the LUKS header is made, null for the other methods
 */
record NewEncryption(int method, @Nullable LuksOptions luks) {
  static final String PREFIX = "encrypt.";
  private static final String FORMAT = PREFIX + "format";

  /** QEMU's name of a secret object; here the key comes from the {@link KeySource}. */
  private static final String KEY_SECRET = PREFIX + "key-secret";

  /**
   * Takes the options that are about encryption.
   *
   * @param options what is taken is removed
   * @throws BlockException {@code INVALID} for a value that makes no sense, {@code NOT_SUPPORTED}
   *     for a cipher that we do not have
   */
  static NewEncryption take(Map<String, String> options) throws BlockException {
    Map<String, String> own = new HashMap<>();
    options.forEach((name, value) -> own.put(name, name.startsWith(PREFIX) ? value : ""));
    own.keySet().removeIf(name -> !name.startsWith(PREFIX));
    options.keySet().removeIf(name -> name.startsWith(PREFIX));
    String old = options.remove("encryption");
    String format = own.remove(FORMAT);
    if (old != null && !old.equals("off")) {
      throw invalid("encryption", old + " is not off; say " + FORMAT + "=luks");
    }
    requireNoOther(own, KEY_SECRET);
    NewEncryption encryption = format == null ? of(Qcow2Header.CRYPT_NONE) : of(format, own);
    for (String name : own.keySet()) {
      throw invalid(name, "it belongs to another " + FORMAT);
    }
    return encryption;
  }

  private static void requireNoOther(Map<String, String> own, String name) throws BlockException {
    if (own.containsKey(name)) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED, "qcow2 option " + name + ": the key is given in another way");
    }
  }

  private static NewEncryption of(int method) {
    return new NewEncryption(method, null);
  }

  private static NewEncryption of(String format, Map<String, String> own) throws BlockException {
    return switch (format) {
      case "aes" -> of(Qcow2Header.CRYPT_AES);
      case "luks" -> new NewEncryption(Qcow2Header.CRYPT_LUKS, luksOptions(own));
      default -> throw invalid(FORMAT, format + " is neither luks nor aes");
    };
  }

  private static LuksOptions luksOptions(Map<String, String> own) throws BlockException {
    String cipher = value(own, "cipher-alg", "aes-256");
    String mode = value(own, "cipher-mode", "xts");
    String generator = value(own, "ivgen-alg", "plain64");
    String generatorHash = own.remove(PREFIX + "ivgen-hash-alg");
    if (generator.equals("essiv")) {
      generator += ":" + (generatorHash == null ? "sha256" : generatorHash);
    } else if (generatorHash != null) {
      throw invalid(PREFIX + "ivgen-hash-alg", generator + " takes none");
    }
    CipherSpec spec = cipher(cipher, mode, mode + '-' + generator);
    HashAlgorithm hash = HashAlgorithm.named(value(own, "hash-alg", "sha256"));
    return new LuksOptions(spec, hash, millis(own.remove(PREFIX + "iter-time")));
  }

  private static String value(Map<String, String> own, String name, String otherwise) {
    String value = own.remove(PREFIX + name);
    return value == null ? otherwise : value;
  }

  /** XTS takes two keys. */
  private static CipherSpec cipher(String name, String mode, String luksMode)
      throws BlockException {
    int keyCount = mode.equals(CipherMode.XTS.luksName()) ? 2 : 1;
    for (CipherAlgorithm algorithm : CipherAlgorithm.values()) {
      for (int keyLength : algorithm.keyLengths()) {
        if (algorithm.optionName(keyLength).equals(name)) {
          return CipherSpec.named(algorithm.luksName(), luksMode, keyLength * keyCount);
        }
      }
    }
    throw new BlockException(
        BlockError.NOT_SUPPORTED,
        "cipher algorithm \"" + HostName.printable(name) + "\" is not supported");
  }

  /** Returns what {@code encrypt.iter-time} says; 2 seconds if it is not given. */
  static long millis(@Nullable String text) throws BlockException {
    if (text == null) {
      return LuksOptions.DEFAULT.iterationMillis();
    }
    try {
      long millis = Long.parseLong(text);
      if (millis > 0 && millis <= Integer.MAX_VALUE) {
        return millis;
      }
    } catch (NumberFormatException notANumber) {
      // the same answer as for one out of range
    }
    throw invalid(PREFIX + "iter-time", text + " is no number of milliseconds above 0");
  }

  private static BlockException invalid(String name, String problem) {
    return new BlockException(
        BlockError.INVALID, "qcow2 option " + name + ": " + HostName.printable(problem));
  }

  /** Returns how many bytes the LUKS header takes with its key material, 0 if there is none. */
  long headerLength() {
    return luks == null ? 0 : LuksCreator.lengthFor(luks);
  }

  /**
   * Gets the key of a new image.
   *
   * @return null if it is not encrypted; the caller closes it
   * @throws BlockException {@code ACCESS_DENIED} if there is none, {@code NOT_SUPPORTED} for a
   *     header that QEMU could not open
   */
  @Nullable SecretBytes key(KeySource keys, String imageName) throws IOException {
    if (method == Qcow2Header.CRYPT_NONE) {
      return null;
    }
    if (luks != null) {
      LuksCreator.requireCreatable(imageName, luks);
    }
    byte[] key = keys.keyOf(imageName);
    if (key == null) {
      throw new BlockException(
          BlockError.ACCESS_DENIED,
          "new image \"" + imageName + "\": a key is needed to encrypt it");
    }
    try {
      return SecretBytes.copyOf(key);
    } finally {
      Arrays.fill(key, (byte) 0);
    }
  }

  /**
   * Writes the LUKS header, if there is one, with a slot that the key opens.
   *
   * @param area of {@link #headerLength} bytes
   */
  void write(CryptoArea area, String imageName, @Nullable SecretBytes key, IterationTimer timer)
      throws IOException {
    if (luks == null || key == null) {
      return;
    }
    int length = luks.cipher().keyLength();
    try (SecretBytes master = SecretBytes.random(length, new SecureRandom())) {
      LuksKeyArea slots = LuksCreator.create(imageName, area, luks, master, timer);
      int unused = slots.add(master, key.bytes(), luks.iterationMillis(), timer);
    }
  }
}
