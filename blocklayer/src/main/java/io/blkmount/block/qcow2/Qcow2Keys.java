// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.crypto.IterationTimer;
import io.blkmount.block.crypto.LuksKeyArea;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.HeaderExtensions.CryptoPointer;
import java.io.IOException;
import java.util.List;

/** The key slots of an image that is not open. Stands for {@code qcow2_co_amend()}. */
final class Qcow2Keys {
  private final String imageName;
  private final BlockIo file;
  private final Qcow2Header header;
  private final LuksKeyArea area;
  private final IterationTimer timer;

  private Qcow2Keys(
      String imageName, BlockIo file, Qcow2Header header, LuksKeyArea area, IterationTimer timer) {
    this.imageName = imageName;
    this.file = file;
    this.header = header;
    this.area = area;
    this.timer = timer;
  }

  /**
   * Reads the slots of an image.
   *
   * @param timer of this machine
   * @throws BlockException {@code NOT_SUPPORTED} if it has none
   */
  static Qcow2Keys of(String imageName, BlockIo file, IterationTimer timer) throws IOException {
    FirstCluster first = FirstCluster.read(imageName, file);
    CryptoPointer crypto = first.extensions().crypto();
    if (crypto == null) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "image \"" + imageName + "\" has no key slots: it is not encrypted with LUKS");
    }
    CryptoArea area = CryptoArea.of(imageName, file, first.header(), crypto);
    return new Qcow2Keys(imageName, file, first.header(), LuksKeyArea.open(imageName, area), timer);
  }

  List<Integer> active() {
    return area.activeSlots();
  }

  private void requireWritable() throws BlockException {
    new AmendRules(imageName).requireWritable(header);
  }

  private void clearUnknown() throws IOException {
    new HeaderFields(file, header.clusterBits()).clearUnknown(header);
  }

  int add(byte[] key, byte[] newKey, long iterationMillis) throws IOException {
    requireWritable();
    try (LuksKeyArea.Unlocked unlocked = area.unlock(key)) {
      clearUnknown();
      return area.add(unlocked.masterKey(), newKey, iterationMillis, timer);
    }
  }

  /** Does {@link #add} in a slot that is free. */
  void addTo(int slot, byte[] key, byte[] newKey, long iterationMillis) throws IOException {
    requireWritable();
    try (LuksKeyArea.Unlocked unlocked = area.unlock(key)) {
      clearUnknown();
      area.addTo(slot, unlocked.masterKey(), newKey, iterationMillis, timer);
    }
  }

  void erase(byte[] key) throws IOException {
    requireWritable();
    List<Integer> opened = area.slotsOf(key);
    if (opened.isEmpty()) {
      throw new BlockException(
          BlockError.ACCESS_DENIED,
          "image \"" + imageName + "\": wrong key: it opens no LUKS key slot");
    }
    if (opened.size() == area.activeSlots().size()) {
      throw new BlockException(
          BlockError.NOT_PERMITTED,
          "image \"" + imageName + "\": no other key would be left to open it");
    }
    clearUnknown();
    for (int slot : opened) {
      area.erase(slot);
    }
  }

  void eraseSlot(int slot) throws IOException {
    requireWritable();
    area.requireErasable(slot);
    clearUnknown();
    area.erase(slot);
  }
}
