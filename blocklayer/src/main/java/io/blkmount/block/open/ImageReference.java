// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.file.HostFiles;
import java.io.IOException;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * An image's name, understood: which protocol driver opens it, by which path.
 *
 * <p>In QEMU: {@code bdrv_find_protocol}, {@code path_has_protocol}, {@code path_combine}.
 *
 * @param name as the user or an overlay's header wrote it
 * @param protocol driver name
 * @param path for the protocol driver; relative to the process's folder unless it starts with /
 */
public record ImageReference(String name, String protocol, String path) {
  static final String FILE = "file";
  static final String HOST_DEVICE = "host_device";

  /**
   * Understands a name that the user gave.
   *
   * @param name a file name, {@code file:NAME} or {@code host_device:NAME}; what exists as it
   *     stands is a file name, whatever is in it
   * @throws IOException if the name is of a protocol that is not known, or cannot be looked up
   */
  public static ImageReference of(String name) throws IOException {
    return of(name, path -> path);
  }

  /**
   * Understands a backing file's name: what is relative is relative to this image's folder, and
   * never to that of the process, which may have moved since.
   *
   * @param backingName as this image's header has it
   * @throws IOException if the name is of a protocol that is not known, or cannot be looked up
   */
  public ImageReference backing(String backingName) throws IOException {
    return of(backingName, this::besides);
  }

  private static ImageReference of(String name, UnaryOperator<String> place) throws IOException {
    if (name.isEmpty()) {
      throw new BlockException(BlockError.NOT_FOUND, "cannot open an image without a name");
    }
    String protocol = protocolOf(name);
    if (protocol == null || HostFiles.exists(place.apply(name))) {
      return at(name, place.apply(name));
    }
    String rest = place.apply(name.substring(protocol.length() + 1));
    return switch (protocol) {
      case FILE -> at(name, rest);
      case HOST_DEVICE -> new ImageReference(name, HOST_DEVICE, rest);
      case "json" ->
          throw new BlockException(
              BlockError.NOT_SUPPORTED,
              "names that start with json: are not supported; --image-opts describes an image");
      default -> throw unknown(protocol, name);
    };
  }

  private static ImageReference at(String name, String path) throws IOException {
    boolean device = HostFiles.isDevice(path);
    return new ImageReference(name, device ? HOST_DEVICE : FILE, path);
  }

  /** Returns what stands before the first colon, unless a slash comes earlier. */
  private static @Nullable String protocolOf(String name) {
    int colon = name.indexOf(':');
    int slash = name.indexOf('/');
    return colon < 0 || (slash >= 0 && slash < colon) ? null : name.substring(0, colon);
  }

  private static BlockException unknown(String protocol, String name) {
    String shown = HostName.printable(name);
    return new BlockException(
        BlockError.NOT_SUPPORTED,
        "unknown protocol %s in \"%s\": file and host_device are known (a file of that name is ./%s)"
            .formatted(HostName.printable(protocol), shown, shown));
  }

  private String besides(String other) {
    return other.startsWith("/") ? other : path.substring(0, path.lastIndexOf('/') + 1) + other;
  }

  /**
   * Returns whether another file's path stays in the folder that this image lies in, or below it,
   * and passes no symbolic link there: who hands out the folder would say where that leads.
   */
  boolean isFolderOf(ImageReference other) {
    String folder = absolute(path).substring(0, absolute(path).lastIndexOf('/') + 1);
    String otherPath = absolute(other.path);
    return otherPath.startsWith(folder)
        && !List.of(otherPath.substring(folder.length()).split("/")).contains("..")
        && !passesLink(otherPath, folder.length());
  }

  private static boolean passesLink(String path, int start) {
    for (int end = start; end < path.length(); end++) {
      end = path.indexOf('/', end) < 0 ? path.length() : path.indexOf('/', end);
      if (HostFiles.isLink(path.substring(0, end))) {
        return true;
      }
    }
    return false;
  }

  private static String absolute(String path) {
    return path.startsWith("/") ? path : System.getProperty("user.dir") + '/' + path;
  }

  /** Returns the folder that the image lies in, absolute, for messages. */
  String folder() {
    int slash = path.lastIndexOf('/');
    if (slash == 0) {
      return "/";
    }
    String folder = slash < 0 ? "" : path.substring(0, slash);
    if (folder.startsWith("/")) {
      return HostName.printable(folder);
    }
    String process = System.getProperty("user.dir");
    return folder.isEmpty() ? process : process + '/' + HostName.printable(folder);
  }
}
