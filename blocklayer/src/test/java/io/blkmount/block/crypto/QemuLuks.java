// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The installed qemu-img and qemu-io on encrypted images; secrets go through files. */
final class QemuLuks {
  private final Path folder;

  QemuLuks(Path folder) {
    this.folder = folder;
  }

  /** Creates a bare LUKS image. */
  void createBare(Path file, String options, byte[] passphrase) {
    QemuImg.img(
        "create",
        "-q",
        "-f",
        "luks",
        "--object",
        secret("s", passphrase),
        "-o",
        "key-secret=s,iter-time=10" + (options.isEmpty() ? "" : "," + options),
        file,
        "1M");
  }

  /** Creates a qcow2 image whose clusters are encrypted. */
  void createQcow2(Path file, String options, byte[] passphrase) {
    QemuImg.img(
        "create",
        "-q",
        "-f",
        "qcow2",
        "--object",
        secret("s", passphrase),
        "-o",
        "encrypt.key-secret=s," + options,
        file,
        "1M");
  }

  static String bare(Path file) {
    return "driver=luks,key-secret=s,file.driver=file,file.filename=" + file;
  }

  static String qcow2(Path file) {
    return "driver=qcow2,encrypt.key-secret=s,file.driver=file,file.filename=" + file;
  }

  /** Runs qemu-io commands on an image. */
  void io(String image, byte[] passphrase, String... commands) {
    List<String> command =
        new ArrayList<>(
            List.of("qemu-io", "--object", secret("s", passphrase), "--image-opts", image));
    for (String each : commands) {
      command.add("-c");
      command.add(each);
    }
    QemuImg.Result result = QemuImg.run(command);
    if (result.exitCode() != 0) {
      throw new AssertionError(command + ": " + result.output());
    }
  }

  /** Gives a passphrase to a bare image that another one opens. */
  void addKey(Path file, byte[] passphrase, byte[] added) {
    QemuImg.img(
        "amend",
        "--object",
        secret("s", passphrase),
        "--object",
        secret("t", added),
        "--image-opts",
        bare(file),
        "-o",
        "state=active,new-secret=t,iter-time=10");
  }

  /** Takes a passphrase from a bare image that another one opens. */
  void eraseKey(Path file, byte[] passphrase, byte[] erased) {
    QemuImg.img(
        "amend",
        "--object",
        secret("s", passphrase),
        "--object",
        secret("t", erased),
        "--image-opts",
        bare(file),
        "-o",
        "state=inactive,old-secret=t");
  }

  /** Returns what an image holds, decrypted. */
  byte[] content(String image, byte[] passphrase) throws IOException {
    Path raw = folder.resolve("content.raw");
    QemuImg.img(
        "convert", "--object", secret("s", passphrase), "--image-opts", image, "-O", "raw", raw);
    return Files.readAllBytes(raw);
  }

  /** Returns whether a passphrase opens an image. */
  boolean opens(String image, byte[] passphrase) {
    QemuImg.Result result =
        QemuImg.run(
            List.of(
                "qemu-io",
                "-r",
                "--object",
                secret("s", passphrase),
                "--image-opts",
                image,
                "-c",
                "read 0 512"));
    return result.exitCode() == 0;
  }

  private String secret(String id, byte[] passphrase) {
    try {
      Path file = Files.write(folder.resolve("secret-" + id), passphrase);
      return "secret,id=" + id + ",file=" + file;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
