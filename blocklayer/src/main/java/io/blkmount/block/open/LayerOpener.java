// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BlockDriver;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.graph.BlockChild;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.graph.PermissionSet;
import io.blkmount.block.raw.RawDriver;
import io.blkmount.block.request.PipelineOptions;
import io.blkmount.block.request.RequestPipeline;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Opens the two nodes of one layer: the host file, and the format on it. */
final class LayerOpener {
  private final BlockGraph graph;
  private final DriverRegistry drivers;
  private final ChainGuard guard;
  private final KeySource keys;
  private final FormatProbe probe;

  /** Creates an opener; what it opens is the graph's from the moment it is open. */
  LayerOpener(BlockGraph graph, DriverRegistry drivers, ChainGuard guard, KeySource keys) {
    this.graph = graph;
    this.drivers = drivers;
    this.guard = guard;
    this.keys = keys;
    this.probe = new FormatProbe(drivers.formats());
  }

  /** Opens a layer without what is below it and returns its upper node. */
  BlockNode open(LayerRequest layer) throws IOException {
    String format = layer.format();
    if (format != null && drivers.isProtocol(format)) {
      requireNoFile(format, layer.file());
      return openFile(format, layer.reference(), layer.settings(), layer.own());
    }
    NodeSettings settings = layer.settings().forFile().with(layer.file());
    String driver = layer.file().take("driver");
    String protocol = driver == null ? layer.reference().protocol() : driver;
    BlockNode file = openFile(protocol, layer.reference(), settings, layer.file());
    return openFormat(layer, file);
  }

  private static void requireNoFile(String protocol, OptionTree options) throws BlockException {
    if (!options.isEmpty()) {
      throw new BlockException(
          BlockError.INVALID,
          "driver "
              + protocol
              + " has no file below it: option file."
              + HostName.printable(String.join(", file.", new TreeSet<>(options.left().keySet()))));
    }
  }

  /** Opens a host file; only here a flush can be left out, because formats order their own. */
  BlockNode openFile(
      String protocol, ImageReference reference, NodeSettings settings, OptionTree own)
      throws IOException {
    Map<String, String> values = new HashMap<>(own.left());
    values.put("filename", reference.path());
    values.put("cache.direct", settings.direct() ? "on" : "off");
    values.put("force-share", settings.forceShare() ? "on" : "off");
    BlockDriver driver = drivers.protocol(protocol);
    return open(new Opening(driver, reference, settings, values, null, null, false));
  }

  /** Opens the format on a host file that is open. */
  BlockNode openFormat(LayerRequest layer, BlockNode file) throws IOException {
    NodeSettings settings = layer.settings();
    BlockChild child = fileOf(file, settings.writable());
    if (settings.writable() && !child.support().writable()) {
      throw new BlockException(
          BlockError.READ_ONLY,
          "option file.read-only=on: \"" + child.name() + "\" is opened for writing");
    }
    String format = layer.format();
    BlockDriver driver = driverOf(format, layer.reference(), child);
    OptionTree dataOptions = layer.own().takeChild(DataFileOpener.OPTION);
    DataFileOpener data = new DataFileOpener(this, guard, layer.reference(), settings, dataOptions);
    Map<String, String> values = layer.own().left();
    BlockNode node =
        open(new Opening(driver, layer.reference(), settings, values, child, data, format == null));
    data.requireUse();
    return node;
  }

  /** Returns the driver of a format, which is probed if it is null. */
  BlockDriver driverOf(@Nullable String format, ImageReference reference, BlockIo file)
      throws IOException {
    return format == null ? probe.probe(file, reference) : drivers.format(format);
  }

  /** Writes an empty image into a host file that is open. */
  void create(String format, BlockNode file, CreateOptions options) throws IOException {
    drivers.format(format).create(fileOf(file, true), options);
  }

  /**
   * Writes an empty image into a host file that is open.
   *
   * @param children makes and opens what the image is stored in beside that file
   */
  void create(String format, BlockNode file, CreateOptions options, ChildOpener children)
      throws IOException {
    drivers.format(format).create(fileOf(file, true), options, children);
  }

  /** Returns the edge through which a format owns its file. */
  static BlockChild fileOf(BlockNode file, boolean writable) {
    PermissionSet permissions = writable ? PermissionSet.ALL : PermissionSet.READ_ONLY;
    return new BlockChild(ChildRole.FILE, file, permissions);
  }

  private BlockNode open(Opening opening) throws IOException {
    requireWritableForWrites(opening);
    String nodeName = graph.newName(opening.settings().nodeName());
    String imageName = opening.reference().path();
    DriverOptions options =
        new DriverOptions(imageName, opening.settings().writable(), opening.values(), keys)
            .withDiscard(opening.settings().discard());
    BlockDriver driver = opening.driver();
    DriverInstance instance = driver.open(options, opening.children());
    RequestPipeline pipeline =
        new RequestPipeline(instance, pipelineOptions(opening, nodeName, instance));
    BlockNode node = new BlockNode(nodeName, imageName, driver.name(), pipeline, opening.storage());
    graph.add(node);
    options.requireAllTaken(driver.name());
    requireCompressible(opening, instance);
    return node;
  }

  private static void requireWritableForWrites(Opening opening) throws BlockException {
    NodeSettings settings = opening.settings();
    if ((settings.copyOnRead() || settings.compress()) && !settings.writable()) {
      String what = settings.copyOnRead() ? "copy-on-read" : "compress";
      throw new BlockException(
          BlockError.INVALID,
          what + " needs a writable image: \"" + opening.printable() + "\" is opened read-only");
    }
  }

  private static void requireCompressible(Opening opening, DriverInstance instance)
      throws BlockException {
    boolean possible = instance.support().writeFlags().has(WriteFlags.COMPRESSED);
    if (opening.settings().compress() && !possible) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "cannot compress what is written to \""
              + opening.printable()
              + "\": "
              + (instance.limits().clusterSize() > 1
                  ? "it is encrypted or has an external data file"
                  : "format " + opening.driver().name() + " stores every byte as it is"));
    }
  }

  private PipelineOptions pipelineOptions(
      Opening opening, String nodeName, DriverInstance instance) {
    NodeSettings settings = opening.settings();
    boolean guarded =
        opening.probed() && settings.writable() && opening.driver().name().equals(RawDriver.NAME);
    return new PipelineOptions(
        nodeName,
        settings.writable(),
        settings.noFlush() && opening.file() == null,
        settings.copyOnRead(),
        settings.discard(),
        settings.detectZeroes(),
        settings.compress(),
        guarded ? new RawProbeGuard(instance, probe, opening.reference().path()) : null);
  }

  /**
   * One node that is about to be opened.
   *
   * @param file what the format is stored in, or null for a host file
   * @param data opens an external data file; null for a host file
   * @param probed whether the driver was found by probing
   */
  private record Opening(
      BlockDriver driver,
      ImageReference reference,
      NodeSettings settings,
      Map<String, String> values,
      @Nullable BlockChild file,
      @Nullable DataFileOpener data,
      boolean probed) {

    /** Returns the image's name for messages. */
    String printable() {
      return HostName.printable(reference.path());
    }

    ChildOpener children() {
      return new ChildOpener() {
        @Override
        public Child open(ChildRole role) throws IOException {
          if (file == null || role != ChildRole.FILE) {
            throw new BlockException(
                BlockError.NOT_SUPPORTED, "driver " + driver.name() + ": no child for " + role);
          }
          return file;
        }

        @Override
        public Child openData(@Nullable String name) throws IOException {
          return data == null ? ChildOpener.super.openData(name) : data.open(name);
        }
      };
    }

    List<BlockChild> storage() {
      List<BlockChild> children = new ArrayList<>();
      if (file != null) {
        children.add(file);
      }
      BlockChild second = data == null ? null : data.opened();
      if (second != null) {
        children.add(second);
      }
      return children;
    }
  }
}
