// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.raw;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.DriverContract;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class RawImageTest extends DriverContract {
  @Override
  protected DriverInstance open(long length) throws IOException {
    return raw(MemoryInstance.ofLength(length), Map.of());
  }

  private static DriverInstance raw(MemoryInstance file, Map<String, String> values)
      throws IOException {
    return new RawDriver()
        .open(new DriverOptions("disk", true, values), new MemoryChild(file).opener());
  }

  @Test
  void windowMovesEveryRequest() throws IOException {
    MemoryInstance file = MemoryInstance.ofLength(10_000);
    DriverInstance window = raw(file, Map.of("offset", "1000", "size", "5k"));

    window.write(7, Images.bytes(5, 1), WriteFlags.NONE);

    assertThat(Images.read(file, 1007, 5)).isEqualTo(Images.bytes(5, 1));
    assertThat(window.length()).isEqualTo(5120);
    assertThat(window.extentAt(7, 5)).isEqualTo(Extent.data(7, 5, 1007));
    assertThat(window.support().growable()).isFalse();
  }

  @Test
  void windowPastTheEndIsRefused() {
    assertThatThrownBy(
            () -> raw(MemoryInstance.ofLength(100), Map.of("offset", "60", "size", "41")))
        .hasMessage("raw image reaches past the end of its file: offset=60 size=41 length=100");
  }

  @Test
  void unknownOptionsAreNamed() {
    assertThatThrownBy(() -> raw(MemoryInstance.ofLength(1), Map.of("lazy", "on", "bogus", "1")))
        .hasMessage("driver raw does not know the option bogus, lazy");
  }

  @Test
  void creationGivesAFileItsLengthAndChecksADevice() throws IOException {
    MemoryInstance file = MemoryInstance.ofLength(0);
    new RawDriver().create(new MemoryChild(file), CreateOptions.ofLength(12_345));
    assertThat(file.length()).isEqualTo(12_345);

    CreateOptions odd = new CreateOptions(1, null, Map.of("cluster_size", "64k"));
    assertThatThrownBy(() -> new RawDriver().create(new MemoryChild(file), odd))
        .hasMessage("format raw does not know the creation option cluster_size");
  }
}
