// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

/** How the initialisation vector of a sector is made from its number. */
public enum IvGenerator {
  /** The low 32 bits of the number, little endian; repeats after 2 TiB. */
  PLAIN("plain"),
  /** All 64 bits of the number, little endian. */
  PLAIN64("plain64"),
  /** The number, encrypted with a hash of the key. */
  ESSIV("essiv");

  private final String luksName;

  IvGenerator(String luksName) {
    this.luksName = luksName;
  }

  /** Returns the name as LUKS headers have it. */
  public String luksName() {
    return luksName;
  }
}
