// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

/** How the blocks of a sector depend on each other. */
public enum CipherMode {
  /** Each block has a tweak made from the sector number; the key has two halves. */
  XTS("xts"),
  /** Each block is chained to the one before it. */
  CBC("cbc"),
  /** Blocks do not depend on anything; equal ones look equal. */
  ECB("ecb"),
  /** Blocks are mixed with a key stream that counts from the IV. */
  CTR("ctr");

  private final String luksName;

  CipherMode(String luksName) {
    this.luksName = luksName;
  }

  /** Returns the name as LUKS headers have it. */
  public String luksName() {
    return luksName;
  }

  /** Returns how many keys of the cipher one key of this mode holds. */
  int keyCount() {
    return this == XTS ? 2 : 1;
  }
}
