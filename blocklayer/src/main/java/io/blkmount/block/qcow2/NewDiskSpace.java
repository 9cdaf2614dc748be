// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.crypto.SecretBytes;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.driver.Preallocation;
import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Gives the disk of a new image, which is opened for that, what it is to have beforehand: clusters,
 * and in a raw data file an entry for every one of them, as QEMU does it.
 *
 * @param file the image, whole and empty
 * @param data its external data file, or null
 */
record NewDiskSpace(ChildOpener.Child file, @Nullable NewDataFile data) implements ChildOpener {
  /**
   * Does it.
   *
   * @param shape of the image
   * @param isOverlay whether it has a backing file, which has to be seen as before
   * @param key of an encrypted image, else null
   */
  void give(Qcow2CreateOptions shape, boolean isOverlay, @Nullable SecretBytes key)
      throws IOException {
    if (!shape.rawData() && shape.preallocation() == Preallocation.OFF) {
      return;
    }
    KeySource keys = key == null ? KeySource.NONE : name -> key.bytes().clone();
    DriverOptions options = new DriverOptions(file.name(), true, Map.of(), keys);
    try (Qcow2Image image = new Qcow2Opener(options, this).open(Alarm.SYSTEM)) {
      if (shape.rawData()) {
        mapData(image);
      }
      if (shape.preallocation() != Preallocation.OFF) {
        preallocate(image, shape.preallocation(), isOverlay);
      }
    }
  }

  private static void mapData(Qcow2Image image) throws IOException {
    long length = image.metadata().length();
    image.changes().make(() -> image.parts().dataFile().map(0, length));
  }

  private static void preallocate(Qcow2Image image, Preallocation mode, boolean isOverlay)
      throws IOException {
    long end = image.metadata().geometry().clusterEnd(image.metadata().length());
    image.changes().make(() -> image.parts().resizer().preallocate(0, end, mode, isOverlay));
  }

  @Override
  public Child open(ChildRole role) {
    return file;
  }

  @Override
  public Child openData(@Nullable String name) {
    if (data == null) {
      throw new IllegalStateException("the new image has no data file");
    }
    return data.file();
  }
}
