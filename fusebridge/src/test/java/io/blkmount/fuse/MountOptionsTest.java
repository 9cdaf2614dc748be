// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.bytes.HostName;
import java.util.List;
import org.junit.jupiter.api.Test;

final class MountOptionsTest {
  private static byte[] source(String fsName) {
    return HostName.encode(MountOptions.of(fsName, 0, 0).fsName());
  }

  @Test
  void sourceIsCutAtWhatTheKernelTakes() {
    assertThat(source("x".repeat(4095))).hasSize(4095).endsWith('x');
    assertThat(source("x".repeat(4096))).hasSize(4095).endsWith('x', '.', '.', '.');
    assertThat(source("\u00e9".repeat(4096))).hasSize(4095).endsWith(0xc3, 0xa9, '.', '.', '.');
    assertThat(source("x" + "\u00e9".repeat(4096))).hasSize(4095).endsWith(0xc3, '.', '.', '.');
  }

  @Test
  void umaskHasPermissionBitsOnly() {
    assertThatThrownBy(
            () ->
                new MountOptions(
                    "disk", false, false, 0, 0, 01000, ServingOptions.DEFAULT, List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("umask=512 has bits outside 0777");
  }
}
