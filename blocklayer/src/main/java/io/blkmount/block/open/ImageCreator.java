// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.HostStored;
import io.blkmount.block.driver.HostStored.FileKey;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.file.HostFiles;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
import java.io.IOException;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Creates images and overlays; what the name held is gone, as with qemu-img. */
public final class ImageCreator {
  /** Stands for the length of the backing file. */
  public static final long LENGTH_OF_BACKING = -1;

  private static final NodeSettings SETTINGS =
      new NodeSettings(
          null, true, false, false, false, false, DiscardMode.UNMAP, DetectZeroesMode.OFF, false);

  private final ImageReference target;
  private final String format;

  /** The files below the new image, which would be lost if one of them were made anew. */
  private final Set<FileKey> chain = new HashSet<>();

  private ImageCreator(ImageReference target, String format) {
    this.target = target;
    this.format = format;
  }

  /**
   * Creates an image. A file that was not there before is not there afterwards if this fails.
   *
   * @param name where
   * @param format driver name
   * @param options of the image; its backing file must exist and is opened to be sure
   * @throws IOException if it cannot be created, or is in use
   */
  public static void create(String name, String format, CreateOptions options) throws IOException {
    DriverRegistry.STANDARD.format(format);
    ImageCreator creator = new ImageCreator(ImageReference.of(name), format);
    creator.create(creator.completed(options));
  }

  private CreateOptions completed(CreateOptions options) throws IOException {
    BackingReference backing = options.backing();
    if (backing != null) {
      return withBacking(options, backing);
    }
    if (options.length() < 0) {
      throw new BlockException(
          BlockError.INVALID, "new image " + quoted() + ": neither length nor backing file given");
    }
    return options;
  }

  private CreateOptions withBacking(CreateOptions options, BackingReference backing)
      throws IOException {
    ImageReference base = target.backing(backing.name());
    OpenOptions reading =
        OpenOptions.of(base.path())
            .withFormat(backing.format())
            .withReadOnly(true)
            .withKeys(KeySource.LOCKED);
    OpenedImage opened = ImageOpener.open(reading);
    try (BlockGraph graph = opened.graph()) {
      noteFiles(graph);
      if (chain.contains(HostFiles.keyOf(target.path()))) {
        throw new BlockException(
            BlockError.INVALID, "new image " + quoted() + ": is a file of its own backing chain");
      }
      long length = opened.top().pipeline().length();
      return new CreateOptions(
          options.length() < 0 ? length : options.length(),
          new BackingReference(backing.name(), opened.image().driverName()),
          options.values(),
          options.keys());
    }
  }

  private void noteFiles(BlockGraph graph) {
    for (BlockNode node : graph.nodes()) {
      if (node.instance() instanceof HostStored stored) {
        chain.add(stored.fileKey());
      }
    }
  }

  private void create(CreateOptions options) throws IOException {
    boolean isNew = !HostFiles.exists(target.path());
    HostFiles.create(target.path(), isNew);
    try {
      write(options);
    } catch (IOException | RuntimeException | Error e) {
      removeAfter(isNew ? target.path() : null, e);
      throw e;
    }
  }

  private void write(CreateOptions options) throws IOException {
    try (BlockGraph graph = new BlockGraph()) {
      LayerOpener layers =
          new LayerOpener(graph, DriverRegistry.STANDARD, new ChainGuard(), KeySource.NONE);
      BlockNode file =
          layers.openFile(target.protocol(), target, SETTINGS, new OptionTree(Map.of()));
      writeFormat(layers, file, options);
      file.pipeline().flush();
    }
  }

  private void writeFormat(LayerOpener layers, BlockNode file, CreateOptions options)
      throws IOException {
    DataFileCreator data = new DataFileCreator(layers, target, chain, SETTINGS);
    try {
      layers.create(format, file, options, data);
    } catch (IOException | RuntimeException | Error e) {
      data.removeAfter(e);
      throw e;
    }
  }

  private static void removeAfter(@Nullable String path, Throwable failure) {
    if (path != null) {
      try {
        HostFiles.unlink(path);
      } catch (IOException e) {
        failure.addSuppressed(e);
      }
    }
  }

  private String quoted() {
    return '"' + HostName.printable(target.path()) + '"';
  }
}
