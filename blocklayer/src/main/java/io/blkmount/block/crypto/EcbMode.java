// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

/** Each block by itself; the sector's number does not matter. */
final class EcbMode implements SectorMode {
  private final KeyedBlocks blocks;

  EcbMode(CipherAlgorithm algorithm, SecretBytes key) {
    this.blocks = KeyedBlocks.each(algorithm, key);
  }

  @Override
  public void encrypt(byte[] source, byte[] target, int length, long firstSector) {
    blocks.encrypt(source, target, 0, length);
  }

  @Override
  public void decrypt(byte[] source, byte[] target, int length, long firstSector) {
    blocks.decrypt(source, target, 0, length);
  }

  @Override
  public void close() {
    blocks.close();
  }
}
