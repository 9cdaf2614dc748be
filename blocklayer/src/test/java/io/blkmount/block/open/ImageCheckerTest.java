// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ImageCheckerTest {
  @TempDir private Path folder;

  private Path file;
  private final List<CheckFinding> findings = new ArrayList<>();

  @BeforeEach
  void leak() {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, "16M", "");
    PagedBytes image = Images.load(file);
    image.write(0x2000a, ByteBuffer.wrap(new byte[] {0, 1}));
    image.setLength(0x60000);
    Images.store(image, file);
  }

  @Test
  void aLeakIsFoundAndThenGivenBack() throws IOException {
    assertThat(ImageChecker.check(file + "", null, findings::add).leaks()).isEqualTo(1);
    assertThat(findings).hasSize(1);

    CheckResult result = ImageChecker.repair(file + "", "qcow2", RepairMode.LEAKS, findings::add);

    assertThat(result.leaksFixed()).isEqualTo(1);
    assertThat(result.isClean()).isTrue();
    QemuImg.requireClean(file, "repaired");
  }

  @Test
  void aRawImageHasNothingToCheck() throws IOException {
    Path raw = Files.write(folder.resolve("disk.raw"), new byte[512]);

    assertThatThrownBy(() -> ImageChecker.check(raw + "", null, findings::add))
        .hasMessage("image \"" + raw + "\": its format has nothing to check");
  }

  @Test
  void anImageInUseIsNotRepaired() throws IOException {
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(file + ""))) {
      assertThat(disk.writable()).isTrue();
      assertThatThrownBy(() -> ImageChecker.repair(file + "", null, RepairMode.ALL, findings::add))
          .isInstanceOf(IOException.class);
    }
  }
}
