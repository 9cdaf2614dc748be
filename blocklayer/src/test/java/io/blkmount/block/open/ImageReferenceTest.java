// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.file.HostFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ImageReferenceTest {
  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource({
    "disk.qcow2, file, disk.qcow2",
    "file:disk.qcow2, file, disk.qcow2",
    "file:/a/b:c, file, /a/b:c",
    "./nbd:x, file, ./nbd:x",
    "/a:b/c, file, /a:b/c",
    "host_device:/dev/none, host_device, /dev/none"
  })
  void namesAreUnderstoodWithoutAFile(String name, String protocol, String path)
      throws IOException {
    assertThat(ImageReference.of(name)).isEqualTo(new ImageReference(name, protocol, path));
  }

  @Test
  void nameThatExistsIsAFileWhateverIsInIt() throws IOException {
    for (String name :
        new String[] {"a:b.qcow2", "nbd:x", "json:{}", "two\nlines", "\udcff\udcfe"}) {
      String path = directory + "/" + name;
      HostFiles.create(path, true);

      assertThat(new ImageReference("top", "file", directory + "/top").backing(name))
          .isEqualTo(new ImageReference(name, "file", path));
      assertThat(ImageReference.of(path)).isEqualTo(new ImageReference(path, "file", path));
      HostFiles.unlink(path);
    }
  }

  @Test
  void unknownProtocolIsRefusedByName() {
    assertThatThrownBy(() -> ImageReference.of("nbd://host/disk"))
        .hasMessage(
            "unknown protocol nbd in \"nbd://host/disk\": file and host_device are known (a file"
                + " of that name is ./nbd://host/disk)");
  }

  @Test
  void jsonIsRefusedWithTheWayOut() {
    assertThatThrownBy(() -> ImageReference.of("json:{\"driver\":\"null-co\"}"))
        .hasMessage(
            "names that start with json: are not supported; --image-opts describes an image");
  }

  @Test
  void emptyNameIsRefused() {
    assertThatThrownBy(() -> ImageReference.of(""))
        .hasMessage("cannot open an image without a name");
  }

  @ParameterizedTest
  @CsvSource({
    "/srv/images/top.qcow2, base.qcow2, /srv/images/base.qcow2",
    "/srv/images/top.qcow2, ../base.qcow2, /srv/images/../base.qcow2",
    "/srv/images/top.qcow2, /else/base.qcow2, /else/base.qcow2",
    "/srv/images/top.qcow2, file:base.qcow2, /srv/images/base.qcow2",
    "/srv/images/top.qcow2, file:/else/base.qcow2, /else/base.qcow2",
    "top.qcow2, base.qcow2, base.qcow2",
    "sub/top.qcow2, base.qcow2, sub/base.qcow2",
    "/top.qcow2, base.qcow2, /base.qcow2"
  })
  void backingNameIsRelativeToTheOverlaysFolder(String overlay, String name, String path)
      throws IOException {
    ImageReference top = new ImageReference(overlay, "file", overlay);

    assertThat(top.backing(name).path()).isEqualTo(path);
  }

  @ParameterizedTest
  @ValueSource(strings = {"link.qcow2", "elsewhere/link.qcow2"})
  void folderIsThatOfTheNameNotOfTheLinkedFile(String link) throws IOException {
    Files.createDirectories(directory.resolve("elsewhere"));
    Path real = Files.createFile(Files.createDirectory(directory.resolve("real")).resolve("x"));
    Files.createSymbolicLink(directory.resolve(link), real);

    ImageReference base = ImageReference.of(directory.resolve(link).toString()).backing("base");

    assertThat(base.path()).isEqualTo(directory.resolve(link).resolveSibling("base").toString());
  }
}
