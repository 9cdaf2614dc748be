// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Works with the Java platform's AES or other ciphers in Java, in chunks that stay in the
 * processor's cache.
 */
final class JavaWorker implements SectorWorker {
  /** 16 sectors: enough to hide the cost of a call, few enough for three arrays in 32 KiB. */
  static final int CHUNK = 16 * SectorCipher.SECTOR_SIZE;

  private final SectorMode mode;
  private final byte[] input = new byte[CHUNK];
  private final byte[] output = new byte[CHUNK];

  private JavaWorker(SectorMode mode) {
    this.mode = mode;
  }

  static JavaWorker of(CipherSpec spec, SecretBytes key) {
    return new JavaWorker(
        switch (spec.mode()) {
          case XTS -> XtsMode.of(spec.algorithm(), key, SectorIvs.of(spec, key));
          case CBC -> new CbcMode(spec.algorithm(), key, SectorIvs.of(spec, key));
          case ECB -> new EcbMode(spec.algorithm(), key);
          case CTR -> new CtrMode(spec.algorithm(), key, SectorIvs.of(spec, key));
        });
  }

  @Override
  public void encrypt(long firstSector, ByteBuffer source, ByteBuffer target) {
    long sector = firstSector;
    while (source.hasRemaining()) {
      int length = fill(source);
      mode.encrypt(input, output, length, sector);
      target.put(output, 0, length);
      sector += length / SectorCipher.SECTOR_SIZE;
    }
  }

  @Override
  public void decrypt(long firstSector, ByteBuffer source, ByteBuffer target) {
    long sector = firstSector;
    while (source.hasRemaining()) {
      int length = fill(source);
      mode.decrypt(input, output, length, sector);
      target.put(output, 0, length);
      sector += length / SectorCipher.SECTOR_SIZE;
    }
  }

  private int fill(ByteBuffer source) {
    int length = Math.min(CHUNK, source.remaining());
    source.get(input, 0, length);
    return length;
  }

  @Override
  public void close() {
    mode.close();
    Arrays.fill(input, (byte) 0);
    Arrays.fill(output, (byte) 0);
  }
}
