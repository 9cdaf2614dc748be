// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import org.jspecify.annotations.Nullable;

/** The hashes of QEMU's encryption options, those of later versions included. */
public enum HashAlgorithm {
  /** 16 bytes; only good for old IV generators. */
  MD5("md5", "MD5", "HmacMD5", 16),
  /** 20 bytes. */
  SHA1("sha1", "SHA-1", "HmacSHA1", 20),
  /** 28 bytes. */
  SHA224("sha224", "SHA-224", "HmacSHA224", 28),
  /** 32 bytes; what QEMU takes if nothing is said. */
  SHA256("sha256", "SHA-256", "HmacSHA256", 32),
  /** 48 bytes. */
  SHA384("sha384", "SHA-384", "HmacSHA384", 48),
  /** 64 bytes. */
  SHA512("sha512", "SHA-512", "HmacSHA512", 64),
  /** 20 bytes. */
  RIPEMD160("ripemd160", null, null, 20),
  /** 32 bytes; GB/T 32905, since QEMU 10. */
  SM3("sm3", null, null, 32);

  private final String luksName;

  /** Of the Java platform, null if it has none. */
  private final @Nullable String digestName;

  private final @Nullable String macName;

  private final int digestLength;

  HashAlgorithm(
      String luksName, @Nullable String digestName, @Nullable String macName, int digestLength) {
    this.luksName = luksName;
    this.digestName = digestName;
    this.macName = macName;
    this.digestLength = digestLength;
  }

  /**
   * Returns the hash that a LUKS header or an option names.
   *
   * @param name such as {@code sha256}
   * @throws BlockException {@code NOT_SUPPORTED} if there is none; the message has the name
   */
  public static HashAlgorithm named(String name) throws BlockException {
    for (HashAlgorithm hash : values()) {
      if (hash.luksName.equals(name)) {
        return hash;
      }
    }
    throw new BlockException(
        BlockError.NOT_SUPPORTED,
        "hash algorithm \"" + HostName.printable(name) + "\" is not supported");
  }

  /** Returns the name as LUKS headers have it. */
  public String luksName() {
    return luksName;
  }

  /** Returns the length of a digest in bytes. */
  public int digestLength() {
    return digestLength;
  }

  MessageDigest newDigest() {
    if (digestName == null) {
      return BouncyDigest.of(this);
    }
    try {
      return MessageDigest.getInstance(digestName);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java has no " + digestName, e);
    }
  }

  /**
   * Returns an HMAC of this hash.
   *
   * @param key any length, also none
   */
  KeyedHash keyed(SecretBytes key) {
    return macName == null ? BouncyMac.of(this, key) : new PlatformMac(macName, key);
  }
}
