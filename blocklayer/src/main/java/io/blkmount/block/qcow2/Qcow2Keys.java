// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.crypto.IterationTimer;
import io.blkmount.block.crypto.LuksKeyArea;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.HeaderExtensions.CryptoPointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** The key slots of an image that is not open. Stands for {@code qcow2_co_amend()}. */
final class Qcow2Keys {
  private static final int HEADER_READ = 512;

  private final String imageName;
  private final LuksKeyArea area;
  private final IterationTimer timer;

  private Qcow2Keys(String imageName, LuksKeyArea area, IterationTimer timer) {
    this.imageName = imageName;
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
    Qcow2Header header = Qcow2Header.parse(imageName, readStart(file, HEADER_READ), file.length());
    HeaderExtensions extensions =
        HeaderExtensions.parse(imageName, header, readStart(file, header.clusterSize()));
    FeatureBits.requireKnown(imageName, header, extensions);
    CryptoPointer crypto = extensions.crypto();
    if (crypto == null) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "image \"" + imageName + "\" has no key slots: it is not encrypted with LUKS");
    }
    LuksKeyArea area = LuksKeyArea.open(imageName, CryptoArea.of(imageName, file, header, crypto));
    return new Qcow2Keys(imageName, area, timer);
  }

  private static ByteBuffer readStart(BlockIo file, int length) throws IOException {
    ByteBuffer start = BouncePool.allocate(length);
    file.read(0, start);
    return start.flip();
  }

  List<Integer> active() {
    return area.activeSlots();
  }

  int add(byte[] key, byte[] newKey, long iterationMillis) throws IOException {
    try (LuksKeyArea.Unlocked unlocked = area.unlock(key)) {
      return area.add(unlocked.masterKey(), newKey, iterationMillis, timer);
    }
  }

  /** Does {@link #add} in a slot that is free. */
  void addTo(int slot, byte[] key, byte[] newKey, long iterationMillis) throws IOException {
    try (LuksKeyArea.Unlocked unlocked = area.unlock(key)) {
      area.addTo(slot, unlocked.masterKey(), newKey, iterationMillis, timer);
    }
  }

  void erase(byte[] key) throws IOException {
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
    for (int slot : opened) {
      area.erase(slot);
    }
  }

  void eraseSlot(int slot) throws IOException {
    area.erase(slot);
  }
}
