// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.Backed;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Opens an image and what is below it, layer by layer in a loop.
 *
 * <p>In QEMU: {@code bdrv_open}, {@code bdrv_open_backing_file}.
 */
public final class ImageOpener {
  private final BlockGraph graph = new BlockGraph();
  private final ChainGuard guard = new ChainGuard();
  private final LayerOpener layers;

  private ImageOpener(DriverRegistry drivers, KeySource keys) {
    layers = new LayerOpener(graph, drivers, guard, keys);
  }

  /**
   * Opens an image.
   *
   * @param options which and how
   * @return the chain; the caller closes its graph
   * @throws IOException if a layer cannot be opened; nothing stays open then
   */
  public static OpenedImage open(OpenOptions options) throws IOException {
    return open(options, DriverRegistry.STANDARD);
  }

  static OpenedImage open(OpenOptions options, DriverRegistry drivers) throws IOException {
    ImageOpener opener = new ImageOpener(drivers, options.keys());
    try {
      return opener.openImage(options);
    } catch (IOException | RuntimeException | Error e) {
      opener.closeAfter(e);
      throw e;
    }
  }

  private void closeAfter(Throwable failure) {
    try {
      graph.close();
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  private OpenedImage openImage(OpenOptions options) throws IOException {
    LayerRequest request = LayerRequest.top(options);
    if (!options.snapshot() || options.readOnly()) {
      BlockNode image = openChain(request);
      return new OpenedImage(graph, requireUseOfCopyOnRead(request, image), image);
    }
    NodeSettings overlay = request.settings().forTemporaryOverlay();
    BlockNode image = openChain(request.readOnly());
    return new OpenedImage(graph, TemporaryOverlay.open(layers, overlay, image), image);
  }

  private static BlockNode requireUseOfCopyOnRead(LayerRequest request, BlockNode image)
      throws BlockException {
    if (request.settings().copyOnRead() && image.backing() == null) {
      throw new BlockException(
          BlockError.INVALID,
          "copy-on-read needs an image with a backing file: "
              + quoted(image.imageName())
              + " has none");
    }
    return image;
  }

  private BlockNode openChain(LayerRequest request) throws IOException {
    guard.admit(request.reference());
    BlockNode top = layers.open(request);
    Layer layer = new Layer(request, top);
    while (layer != null) {
      layer = openBelow(layer);
    }
    return top;
  }

  private @Nullable Layer openBelow(Layer overlay) throws IOException {
    BackingReference header =
        overlay.node().instance() instanceof Backed backed ? backed.backingReference() : null;
    if (!(overlay.node().instance() instanceof Backed)) {
      overlay.request().requireNoBacking(overlay.node().driverName() + " has no backing file");
    }
    LayerRequest request = requestBelow(overlay, header);
    if (request == null) {
      return null;
    }
    BlockNode base = openBase(overlay, request);
    overlay.node().attachBacking(base);
    return new Layer(request, base);
  }

  private static @Nullable LayerRequest requestBelow(
      Layer overlay, @Nullable BackingReference header) throws IOException {
    try {
      return overlay.request().below(header);
    } catch (IOException e) {
      throw header == null ? e : failure(overlay, header.name(), e, "");
    }
  }

  private BlockNode openBase(Layer overlay, LayerRequest request) throws IOException {
    ImageReference reference = request.reference();
    try {
      guard.admit(reference);
      return layers.open(request);
    } catch (IOException e) {
      throw failure(overlay, reference.name(), e, reference.folder());
    }
  }

  private static BlockException failure(
      Layer overlay, String name, IOException cause, String folder) {
    return ChildFailure.of("backing file", name, overlay.node().imageName(), folder, cause);
  }

  private static String quoted(String name) {
    return '"' + HostName.printable(name) + '"';
  }

  /** A layer that is open. */
  private record Layer(LayerRequest request, BlockNode node) {}
}
