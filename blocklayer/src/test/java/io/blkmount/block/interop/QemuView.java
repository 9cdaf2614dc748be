// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.interop;

import io.blkmount.block.testing.QemuImg;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** An image as QEMU's tools open it: with its key, if it has one. */
final class QemuView {
  private final Path image;
  private final List<Object> secret;
  private final String options;

  QemuView(Path image) {
    this.image = image;
    this.secret = List.of();
    this.options = "driver=qcow2,file.filename=" + image;
  }

  /**
   * @param key the file that holds the passphrase
   * @param format luks or aes
   */
  QemuView(Path image, Path key, String format) {
    this.image = image;
    this.secret = List.of("--object", "secret,id=key,file=" + key);
    this.options =
        "driver=qcow2,encrypt.key-secret=key,encrypt.format=%s,file.filename=%s"
            .formatted(format, image);
  }

  Path image() {
    return image;
  }

  /** Creates the image; {@code length} null means that of the backing file. */
  void create(String creationOptions, long length, String... more) {
    List<Object> arguments = new ArrayList<>(List.of("create", "-q", "-f", "qcow2"));
    arguments.addAll(secret);
    arguments.addAll(List.of(more));
    arguments.addAll(List.of("-o", creationOptions, image, length));
    QemuImg.img(arguments.toArray());
  }

  /** Runs qemu-io. */
  void io(String... commands) {
    List<Object> arguments = new ArrayList<>(secret);
    for (String command : commands) {
      arguments.add("-c");
      arguments.add(command);
    }
    arguments.addAll(List.of("--image-opts", options));
    QemuImg.tool("qemu-io", arguments.toArray());
  }

  /** Writes the whole disk to a raw file. */
  void toRaw(Path raw) {
    List<Object> arguments = new ArrayList<>(List.of("convert"));
    arguments.addAll(secret);
    arguments.addAll(List.of("-O", "raw", "--image-opts", options, raw));
    QemuImg.img(arguments.toArray());
  }

  /** Fails unless the image is consistent and nothing leaks. */
  void requireClean() {
    List<Object> arguments = new ArrayList<>(List.of("check"));
    arguments.addAll(secret);
    arguments.addAll(List.of("--image-opts", options));
    QemuImg.img(arguments.toArray());
  }
}
