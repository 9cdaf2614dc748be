// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.open.OpenOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MountPointTest {
  @TempDir Path folder;

  @Test
  void anEmptyDirectoryIsOneUnderItsRealName() throws Exception {
    Path real = Files.createDirectory(folder.resolve("real"));
    Path link = Files.createSymbolicLink(folder.resolve("link"), real);

    MountPoint found = MountPoint.check(link + "/.", List.of());

    assertThat(found).isEqualTo(new MountPoint(real.toRealPath().toString(), true));
  }

  /** As the host resolves it: what comes after a link is looked up where the link leads. */
  @Test
  void twoDotsBehindALinkLeadOutOfItsTarget() throws Exception {
    Path place = Files.createDirectories(folder.resolve("there/mnt"));
    Path inside = Files.createDirectory(place.resolveSibling("inside"));
    Path link = Files.createSymbolicLink(folder.resolve("link"), inside);

    for (String name : List.of("/../mnt", "//..//mnt//", "/../mnt/.", "/../inside/../mnt/./.")) {
      assertThat(MountPoint.check(link + name, List.of()).name())
          .as(name)
          .isEqualTo(place.toRealPath().toString());
    }
    assertThat(MountPoint.realName(link + "/..")).isEqualTo(folder.toRealPath() + "/there");
    assertThat(MountPoint.realName("/.")).isEqualTo("/");
  }

  @Test
  void aRegularFileShowsOneImage() throws Exception {
    String file = Files.createFile(folder.resolve("file")).toString();

    assertThat(MountPoint.check(file, List.of(image("/a"))).isDirectory()).isFalse();
    assertRefused(file, "a file shows one image, not 2", image("/a"), image("/b"));
  }

  @Test
  void whatIsMissingIsRefused() {
    assertRefused(folder + "/none", "no such file or directory");
    assertRefused(folder + "/none/below", "no such file or directory");
  }

  @Test
  void aDirectoryWithSomethingInItIsRefused() throws IOException {
    Files.createFile(folder.resolve("entry"));

    assertRefused(folder.toString(), "not empty");
  }

  @Test
  void whatIsNeitherDirectoryNorFileIsRefused() {
    assertRefused("/dev/null", "neither a directory nor a regular file");
  }

  @Test
  void aPlaceInUseIsRefusedAndItsUserNamed() {
    assertRefused("/proc", "in use: proc (proc) is mounted there");
  }

  @Test
  void anImageThatWouldBeHiddenIsNamed() throws IOException {
    Path image = Files.createFile(folder.resolve("a.img"));

    assertRefused(
        folder.toString(), "the mount would hide the image \"" + image, image(image.toString()));
    assertRefused(
        image.toString(), "the mount would hide the image \"" + image, image(image.toString()));
  }

  private static MountRequest.Image image(String name) {
    return new MountRequest.Image(OpenOptions.of(name), name, List.of(name));
  }

  private static void assertRefused(String name, String reason, MountRequest.Image... images) {
    assertThatThrownBy(() -> MountPoint.check(name, List.of(images)))
        .isInstanceOf(CommandFailure.class)
        .hasMessageContaining("mount point \"" + name + "\": " + reason);
  }
}
