// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** The first cluster of an image in memory, to be damaged and read. */
final class HeaderBytes {
  static final String NAME = "disk.qcow2";

  private final ByteBuffer cluster;

  private HeaderBytes(ByteBuffer cluster) {
    this.cluster = cluster;
  }

  /**
   * What a driver learns from the first cluster.
   *
   * @param header fixed part
   * @param extensions variable part
   * @param backingName or null
   */
  record Parsed(Qcow2Header header, HeaderExtensions extensions, @Nullable String backingName) {
    /** Encodes all that was read; it must be all that was there. */
    ByteBuffer rewritten() {
      ByteBuffer cluster = ByteBuffer.allocate(header.clusterSize());
      header.encode(cluster);
      extensions.encode(cluster);
      assertThat(cluster.position()).isEqualTo(header.headerLength() + extensions.encodedLength());
      if (backingName != null) {
        assertThat(header.backingNameOffset()).isEqualTo(cluster.position());
        cluster.put(HostName.encode(backingName));
      }
      return cluster.clear();
    }
  }

  /** Returns the first cluster of a fresh image. */
  static HeaderBytes created(CreateOptions options) {
    try {
      MemoryInstance file = MemoryInstance.ofLength(0);
      MemoryChild data = new MemoryChild(MemoryInstance.ofLength(0));
      Qcow2Creator.create(
          new MemoryChild(file), options, new ImageFiles(new MemoryChild(file), data));
      int clusterSize =
          1 << ByteBuffer.wrap(file.content().bytes(0, 512)).getInt(Qcow2Header.CLUSTER_BITS_AT);
      return of(file.content().bytes(0, clusterSize));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  static HeaderBytes of(byte[] cluster) {
    return new HeaderBytes(ByteBuffer.wrap(cluster.clone()));
  }

  /** Overwrites bytes: {@code offset=hex}, separated by blanks. */
  HeaderBytes poke(String pokes) {
    for (String poke : pokes.split(" ")) {
      int equals = poke.indexOf('=');
      int offset = Integer.parseInt(poke.substring(0, equals));
      cluster.put(offset, HexFormat.of().parseHex(poke.substring(equals + 1)));
    }
    return this;
  }

  ByteBuffer bytes() {
    return cluster.duplicate();
  }

  /** Reads all of it, as a driver does. */
  Parsed parse() throws IOException {
    Qcow2Header header = Qcow2Header.parse(NAME, bytes(), 1 << 20);
    HeaderExtensions extensions = HeaderExtensions.parse(NAME, header, bytes());
    FeatureBits.requireKnown(NAME, header, extensions);
    return new Parsed(header, extensions, FirstCluster.backingName(header, bytes()));
  }
}
