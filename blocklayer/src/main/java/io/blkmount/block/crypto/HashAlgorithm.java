// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import javax.crypto.Mac;

/** The hashes of QEMU's encryption options that the Java platform has; ripemd160 it has not. */
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
  SHA512("sha512", "SHA-512", "HmacSHA512", 64);

  private final String luksName;
  private final String digestName;
  private final String macName;
  private final int digestLength;

  HashAlgorithm(String luksName, String digestName, String macName, int digestLength) {
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
    try {
      return MessageDigest.getInstance(digestName);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java has no " + digestName, e);
    }
  }

  Mac newMac(SecretBytes key) {
    try {
      Mac mac = Mac.getInstance(macName);
      mac.init(new RawKey(macName, key));
      return mac;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this Java has no " + macName, e);
    }
  }

  /** Makes a MAC of {@link #newMac} forget its key: another one takes its place. */
  void forgetKey(Mac mac) {
    try (SecretBytes nothing = SecretBytes.zeros(digestLength)) {
      mac.init(new RawKey(macName, nothing));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(macName + " took a key before", e);
    }
  }
}
