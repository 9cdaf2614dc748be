// SPDX-License-Identifier: Apache-2.0
package io.blkmount.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ReadChainTest {
  @TempDir Path directory;

  @Test
  void layersAndBytesAreShown() throws IOException {
    Files.write(directory.resolve("base.raw"), new byte[1 << 20]);
    String top = directory.resolve("top.qcow2").toString();
    BackingReference base = new BackingReference("base.raw", "raw");
    BlockLayer.create(top, "qcow2", new CreateOptions(2 << 20, base, Map.of()));
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(top))) {
      disk.write(65536, ByteBuffer.wrap("blkmount".getBytes(StandardCharsets.US_ASCII)));
    }

    ByteArrayOutputStream text = new ByteArrayOutputStream();
    try (PrintStream out = new PrintStream(text, true, StandardCharsets.UTF_8)) {
      ReadChain.print(top, 65536, 20, out);
    }

    assertThat(text.toString(StandardCharsets.UTF_8).lines())
        .startsWith(top + ": qcow2, 2097152 bytes")
        .anyMatch(line -> line.matches(" +65536 +65536 +data +0 +0x50000"))
        .anyMatch(line -> line.matches(" +1048576 +1048576 +zero +1 +-"))
        .endsWith(
            "00010000  62 6c 6b 6d 6f 75 6e 74 00 00 00 00 00 00 00 00", "00010010  00 00 00 00");
  }
}
