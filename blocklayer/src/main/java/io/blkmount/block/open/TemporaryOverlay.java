// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.file.HostFiles;
import io.blkmount.block.graph.BlockNode;
import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Puts an image without a name above another, which then never changes: {@code --snapshot}.
 *
 * <p>In QEMU: {@code bdrv_open} with {@code BDRV_O_SNAPSHOT}, {@code get_tmp_filename}.
 */
final class TemporaryOverlay {
  private static final String FORMAT = "qcow2";

  /** Not /tmp, which may be memory: an overlay can grow as long as the disk. */
  private static final String DEFAULT_FOLDER = "/var/tmp";

  private TemporaryOverlay() {}

  /**
   * Creates an overlay of the image's length and opens it above the image. Its file has lost its
   * name when this returns, so nothing is left behind however the process ends.
   *
   * @param settings of the overlay
   * @param image what shows through it
   * @return the overlay's node
   */
  static BlockNode open(LayerOpener layers, NodeSettings settings, BlockNode image)
      throws IOException {
    String path = HostFiles.createTemporary(folder(System.getenv("TMPDIR")), "blkmount-");
    ImageReference reference = new ImageReference(path, ImageReference.FILE, path);
    BlockNode file;
    try {
      file = layers.openFile(reference.protocol(), reference, settings.forFile(), none());
    } finally {
      HostFiles.unlink(path);
    }
    layers.create(FORMAT, file, CreateOptions.ofLength(image.pipeline().length()));
    LayerRequest request =
        new LayerRequest(reference, FORMAT, settings, none(), none(), none(), false);
    BlockNode overlay = layers.openFormat(request, file);
    overlay.attachBacking(image);
    return overlay;
  }

  static String folder(@Nullable String given) {
    return given == null || given.isEmpty() ? DEFAULT_FOLDER : given;
  }

  private static OptionTree none() {
    return new OptionTree(Map.of());
  }
}
