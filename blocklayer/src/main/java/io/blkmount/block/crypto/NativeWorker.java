// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.crypto.LibCrypto.Calls;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Works with the host's libcrypto, one call for each sector, from memory to memory. */
final class NativeWorker implements SectorWorker {
  private static final int SECTOR_SIZE = SectorCipher.SECTOR_SIZE;
  private static final long LOW_HALF = 0xffffffffL;

  /** How much of a heap buffer is copied at once. */
  private static final int COPY_LENGTH = 64 << 10;

  /** Where in the scratch memory things are. */
  private static final int IV_AT = 0;

  private static final int WRITTEN_AT = 16;
  private static final int KEY_AT = 64;
  private static final int SCRATCH_LENGTH = 128;

  private final Calls calls;
  private final ByteBuffer scratch =
      ByteBuffer.allocateDirect(SCRATCH_LENGTH).order(ByteOrder.LITTLE_ENDIAN);
  private final long scratchAddress = LibCrypto.address(scratch);
  private final boolean usesIv;
  private final long numberMask;
  private final long encryption;
  private final long decryption;

  /** Encrypts the numbers of an ESSIV generator; 0 for the others. */
  private final long essiv;

  private NativeWorker(LibCrypto library, CipherSpec spec, SecretBytes key) {
    calls = library.calls();
    usesIv = spec.mode() != CipherMode.ECB;
    numberMask = spec.ivGenerator() == IvGenerator.PLAIN ? LOW_HALF : -1;
    encryption = context(library.cipher(name(spec)), key, true);
    decryption = context(library.cipher(name(spec)), key, false);
    essiv = essivContext(library, spec.ivHash(), key);
  }

  /**
   * Returns whether the host has a libcrypto with this cipher, and takes the key: only AES is in
   * every build of it, and XTS with two equal halves is no secret, but an image may have been made
   * so.
   */
  static boolean serves(CipherSpec spec, SecretBytes key) {
    LibCrypto library = LibCrypto.HOST;
    boolean halves = spec.mode() == CipherMode.XTS && hasEqualHalves(key.bytes());
    boolean isAes = spec.algorithm() == CipherAlgorithm.AES;
    return library != null && isAes && !halves && library.cipher(name(spec)) != 0;
  }

  private static boolean hasEqualHalves(byte[] key) {
    int half = key.length / 2;
    return Arrays.equals(key, 0, half, key, half, key.length);
  }

  /** Returns a worker for a cipher that is served. */
  static NativeWorker of(CipherSpec spec, SecretBytes key) {
    LibCrypto library = LibCrypto.HOST;
    if (library == null) {
      throw new IllegalStateException("no libcrypto");
    }
    return new NativeWorker(library, spec, key);
  }

  private static String name(CipherSpec spec) {
    int bits = spec.keyLength() / spec.mode().keyCount() * Byte.SIZE;
    return "aes-" + bits + '-' + spec.mode().name().toLowerCase(Locale.ROOT);
  }

  private long essivContext(LibCrypto library, @Nullable HashAlgorithm hash, SecretBytes key) {
    if (hash == null) {
      return 0;
    }
    try (SecretBytes salt = SecretBytes.owning(hash.newDigest().digest(key.bytes()))) {
      long cipher = library.cipher("aes-" + salt.length() * Byte.SIZE + "-ecb");
      return context(cipher, salt, true);
    }
  }

  private long context(long cipher, SecretBytes key, boolean encrypts) {
    long context = calls.newContext();
    scratch.put(KEY_AT, key.bytes());
    long keyAddress = scratchAddress + KEY_AT;
    int done =
        encrypts
            ? calls.initEncryption(context, cipher, 0, keyAddress, scratchAddress)
            : calls.initDecryption(context, cipher, 0, keyAddress, scratchAddress);
    scratch.put(KEY_AT, new byte[key.length()]);
    require(done);
    require(calls.setPadding(context, 0));
    return context;
  }

  private static void require(int done) {
    if (done != 1) {
      throw new IllegalStateException("libcrypto failed");
    }
  }

  @Override
  public void encrypt(long firstSector, ByteBuffer source, ByteBuffer target) {
    work(true, firstSector, source, target);
  }

  @Override
  public void decrypt(long firstSector, ByteBuffer source, ByteBuffer target) {
    work(false, firstSector, source, target);
  }

  private void work(boolean encrypts, long firstSector, ByteBuffer source, ByteBuffer target) {
    if (source.isDirect() && target.isDirect()) {
      int length = source.remaining();
      long from = LibCrypto.address(source) + source.position();
      long to = LibCrypto.address(target) + target.position();
      transform(encrypts, firstSector, from, to, length);
      target.position(target.position() + length);
      source.position(source.limit());
    } else {
      workByCopy(encrypts, firstSector, source, target);
    }
  }

  private void workByCopy(
      boolean encrypts, long firstSector, ByteBuffer source, ByteBuffer target) {
    try (BouncePool.Bounce bounce = BouncePool.take(COPY_LENGTH)) {
      long sector = firstSector;
      while (source.hasRemaining()) {
        int length = Math.min(COPY_LENGTH, source.remaining());
        ByteBuffer copy = bounce.buffer().clear().limit(length);
        copy.put(0, source, source.position(), length);
        source.position(source.position() + length);
        long at = LibCrypto.address(copy);
        transform(encrypts, sector, at, at, length);
        target.put(copy);
        sector += length / SECTOR_SIZE;
      }
    }
  }

  private void transform(boolean encrypts, long firstSector, long from, long to, int length) {
    if (!usesIv) {
      update(encrypts, from, to, length);
      return;
    }
    long sector = firstSector;
    for (int at = 0; at < length; at += SECTOR_SIZE) {
      makeIv(sector++);
      if (encrypts) {
        require(calls.initEncryption(encryption, 0, 0, 0, scratchAddress + IV_AT));
      } else {
        require(calls.initDecryption(decryption, 0, 0, 0, scratchAddress + IV_AT));
      }
      update(encrypts, from + at, to + at, SECTOR_SIZE);
    }
  }

  private void makeIv(long sector) {
    scratch.putLong(IV_AT, sector & numberMask).putLong(IV_AT + Long.BYTES, 0);
    if (essiv != 0) {
      long iv = scratchAddress + IV_AT;
      require(calls.encrypt(essiv, iv, scratchAddress + WRITTEN_AT, iv, AesBlocks.BLOCK));
    }
  }

  private void update(boolean encrypts, long from, long to, int length) {
    long written = scratchAddress + WRITTEN_AT;
    require(
        encrypts
            ? calls.encrypt(encryption, to, written, from, length)
            : calls.decrypt(decryption, to, written, from, length));
  }

  /** The library overwrites its keys before it gives back their memory. */
  @Override
  public void close() {
    calls.freeContext(encryption);
    calls.freeContext(decryption);
    calls.freeContext(essiv);
  }
}
