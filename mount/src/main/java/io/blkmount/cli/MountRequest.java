// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.open.CacheMode;
import io.blkmount.block.open.ImageOptions;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.fuse.ServingOptions;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is to be mounted; every name in it is absolute.
 *
 * @param images what to open
 * @param secretFile absolute name of the file with the key of encrypted images, or null
 * @param mountPoint a directory or a regular file
 * @param flags what {@code -o} says
 * @param readOnly whether the mount refuses writes
 * @param serving how requests come from the kernel
 * @param server how the server runs
 */
record MountRequest(
    List<Image> images,
    @Nullable String secretFile,
    String mountPoint,
    MountFlags flags,
    boolean readOnly,
    ServingOptions serving,
    ServerOptions server) {

  /**
   * One image.
   *
   * @param options how to open it
   * @param name how to call it
   * @param files absolute names of the host files that the command line names for it
   */
  record Image(OpenOptions options, String name, List<String> files) {}

  /**
   * Returns what a command line asks for.
   *
   * @param options as written
   * @param directory where relative names start
   * @throws CommandFailure with exit code 2 if something is missing, unknown or contradicts
   */
  static MountRequest of(CommandLineOptions options, WorkingDirectory directory)
      throws CommandFailure {
    List<String> operands = options.operands();
    if (operands.size() < 2) {
      throw CommandFailure.usage("an image and a mount point are needed");
    }
    MountFlags flags = MountFlags.parse(options.values(Option.MOUNT_OPTIONS));
    boolean keepsImage = options.has(Option.INTERNAL_SNAPSHOT) && !options.has(Option.SNAPSHOT);
    boolean readOnly =
        options.has(Option.READ_ONLY)
            || options.has(Option.FORCE_SHARE)
            || flags.readOnly()
            || keepsImage;
    requireConsistent(options, readOnly);
    List<Image> images = new ArrayList<>();
    for (String operand : operands.subList(0, operands.size() - 1)) {
      images.add(image(operand, options, readOnly, directory));
    }
    return new MountRequest(
        List.copyOf(images),
        secretFile(options, directory),
        directory.resolve(operands.get(operands.size() - 1)),
        flags,
        readOnly,
        ServingChoices.parse(options),
        ServerOptions.of(options, directory));
  }

  private static @Nullable String secretFile(
      CommandLineOptions options, WorkingDirectory directory) {
    String name = options.value(Option.SECRET_FILE);
    return name == null ? null : directory.resolve(name);
  }

  private static void requireConsistent(CommandLineOptions options, boolean readOnly)
      throws CommandFailure {
    if (options.has(Option.IMAGE_OPTS) && options.has(Option.FORMAT)) {
      throw CommandFailure.usage("--format and --image-opts exclude each other (write driver=)");
    }
    if (options.has(Option.COPY_ON_READ) && readOnly && !options.has(Option.SNAPSHOT)) {
      throw CommandFailure.usage("--copy-on-read writes to the image, so it cannot be read-only");
    }
    if (options.has(Option.COMPRESS) && readOnly && !options.has(Option.SNAPSHOT)) {
      throw CommandFailure.usage("--compress writes to the image, so it cannot be read-only");
    }
    if (options.has(Option.RESIZABLE) && readOnly) {
      throw CommandFailure.usage("--resizable writes to the image, so it cannot be read-only");
    }
  }

  private static Image image(
      String operand, CommandLineOptions options, boolean readOnly, WorkingDirectory directory)
      throws CommandFailure {
    if (options.has(Option.IMAGE_OPTS)) {
      Map<String, String> dotted = directory.resolveImageOptions(dotted(operand));
      String name = dotted.getOrDefault("file.filename", dotted.getOrDefault("filename", operand));
      List<String> files =
          dotted.entrySet().stream()
              .filter(e -> WorkingDirectory.isFileName(e.getKey()))
              .map(e -> WorkingDirectory.withoutProtocol(e.getValue()))
              .toList();
      return new Image(with(options, OpenOptions.ofImageOptions(dotted), readOnly), name, files);
    }
    String name = directory.resolveImage(operand);
    OpenOptions open = OpenOptions.of(name).withFormat(options.value(Option.FORMAT));
    return new Image(
        with(options, open, readOnly), name, List.of(WorkingDirectory.withoutProtocol(name)));
  }

  private static OpenOptions with(CommandLineOptions options, OpenOptions base, boolean readOnly)
      throws CommandFailure {
    String snapshot = options.value(Option.INTERNAL_SNAPSHOT);
    OpenOptions shown =
        snapshot == null ? base : base.withImageOption("internal-snapshot", snapshot);
    OpenOptions stored =
        options.has(Option.COMPRESS) ? shown.withImageOption("compress", "on") : shown;
    return stored
        .withReadOnly(readOnly)
        .withSnapshot(options.has(Option.SNAPSHOT))
        .withCopyOnRead(options.has(Option.COPY_ON_READ))
        .withCache(Choices.oneOf(options, Option.CACHE, CacheMode.WRITEBACK))
        .withDiscard(Choices.oneOf(options, Option.DISCARD, DiscardMode.IGNORE))
        .withDetectZeroes(Choices.oneOf(options, Option.DETECT_ZEROES, DetectZeroesMode.OFF))
        .withResizable(options.has(Option.RESIZABLE))
        .withForceShare(options.has(Option.FORCE_SHARE));
  }

  private static Map<String, String> dotted(String text) throws CommandFailure {
    try {
      return ImageOptions.parse(text);
    } catch (IOException e) {
      throw CommandFailure.usage(String.valueOf(e.getMessage()));
    }
  }
}
