// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.fuse.MemoryDisks;
import io.blkmount.fuse.RawDisks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names, attributes and usage, as the kernel asks for them. */
final class NameRequestsTest {
  private static final int LENGTH = 1 << 20;
  private static final long ROOT = 1;
  private static final long FILE = 2;

  private static final int ENOENT = 2;
  private static final int ESTALE = 116;

  @TempDir Path folder;
  private FakeKernel kernel;
  private BlockBackend disk;
  private RequestServer server;

  @BeforeEach
  void serve() throws IOException {
    kernel = new FakeKernel();
    disk = RawDisks.open(RawDisks.create(folder.resolve("disk.img"), LENGTH, 1));
    server = kernel.server(MemoryDisks.serve(disk));
  }

  @AfterEach
  void close() throws IOException {
    kernel.close();
    disk.close();
  }

  private KernelReply lookup(byte[] name) {
    return kernel.call(server, KernelRequest.named(KernelRequest.LOOKUP, ROOT, name));
  }

  private void assertDisksAttributes(ByteBuffer attributes) throws IOException {
    assertThat(attributes.getLong(0)).as("inode").isEqualTo(FILE);
    assertThat(attributes.getLong(8)).as("size").isEqualTo(LENGTH);
    assertThat(attributes.getLong(16)).as("blocks").isEqualTo(disk.allocatedBytes() / 512);
    for (int time = 0; time < 3; time++) {
      long nanos = attributes.getLong(24 + 8 * time) * 1_000_000_000;
      assertThat(nanos + attributes.getInt(48 + 4 * time)).isEqualTo(disk.modifiedNanos());
    }
    assertThat(attributes.getInt(60)).as("mode").isEqualTo(0100600);
    assertThat(attributes.getInt(64)).as("links").isEqualTo(1);
    assertThat(attributes.getInt(68)).as("user").isEqualTo(12);
    assertThat(attributes.getInt(72)).as("group").isEqualTo(34);
    assertThat(attributes.getInt(80)).as("block size").isEqualTo(4096);
    assertThat(attributes.getInt(84)).as("flags").isZero();
  }

  private static ByteBuffer part(ByteBuffer body, int offset, int length) {
    return body.slice(offset, length).order(body.order());
  }

  @Test
  void lookupGivesInodeAndAttributes() throws IOException {
    ByteBuffer entry = lookup("disk.raw".getBytes(US_ASCII)).body(128);

    assertThat(entry.getLong(0)).as("inode").isEqualTo(FILE);
    assertThat(entry.getLong(8)).as("generation").isZero();
    assertThat(entry.getLong(16)).as("name valid").isPositive();
    assertThat(entry.getInt(32)).as("and nanoseconds").isBetween(0, 999_999_999);
    assertDisksAttributes(part(entry, 40, 88));
  }

  @ParameterizedTest(name = "\"{0}\"")
  @ValueSource(strings = {"", "disk", "disk.raw ", "DISK.RAW", ".", "..", "disk.raw/", "\u00ff"})
  void otherNamesDoNotExist(String name) {
    lookup(name.getBytes(ISO_8859_1)).requireErrno(ENOENT);
    lookup((name + "x".repeat(300)).getBytes(ISO_8859_1)).requireErrno(ENOENT);
  }

  /** Each byte but 0 and the slash is good for a name, whether it is text or not. */
  @Test
  void namesAreBytes() throws IOException {
    String path = folder + "/\u00fc\udcff, \\\n.img";
    BlockLayer.create(path, "raw", CreateOptions.ofLength(LENGTH));
    try (BlockBackend odd = BlockLayer.open(OpenOptions.of(path).withFormat("raw"))) {
      server = kernel.server(MemoryDisks.serve(odd));

      ByteBuffer entry = lookup("\u00c3\u00bc\u00ff, \\\n.raw".getBytes(ISO_8859_1)).body(128);

      assertThat(entry.getLong(0)).isEqualTo(FILE);
      lookup("\u00fc\u00ff, \\\n.raw".getBytes(ISO_8859_1)).requireErrno(ENOENT);
      lookup("\u00c3\u00bc?, \\\n.raw".getBytes(ISO_8859_1)).requireErrno(ENOENT);
    }
  }

  @Test
  void attributesAreGivenByInodeAndByHandle() throws IOException {
    long handle = kernel.open(server, FILE, 0).number();

    for (KernelRequest request :
        new KernelRequest[] {
          KernelRequest.attributes(FILE, 0, 4711), // a handle that is not meant
          KernelRequest.attributes(FILE, 1, handle),
        }) {
      ByteBuffer body = kernel.call(server, request).body(104);

      assertThat(body.getLong(0) + body.getInt(8)).as("valid for a while").isPositive();
      assertDisksAttributes(part(body, 16, 88));
    }
  }

  @Test
  void rootIsADirectory() {
    ByteBuffer body = kernel.call(server, KernelRequest.attributes(ROOT, 0, 0)).body(104);

    assertThat(body.getLong(16)).as("inode").isEqualTo(ROOT);
    assertThat(body.getInt(16 + 60)).as("mode").isEqualTo(0040500);
    assertThat(body.getInt(16 + 64)).as("links").isEqualTo(2);
  }

  @Test
  void whatIsNotThereIsStale() {
    long handle = kernel.open(server, FILE, 0).number();
    kernel.call(server, KernelRequest.ofHandle(KernelRequest.RELEASE, FILE, handle)).requireDone();

    kernel.call(server, KernelRequest.attributes(FILE, 1, handle)).requireErrno(ESTALE);
    for (long inode : new long[] {0, 3, -1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32 | FILE}) {
      kernel.call(server, KernelRequest.attributes(inode, 0, 0)).requireErrno(ESTALE);
    }
  }

  @Test
  void usageHasRealNumbers() throws IOException {
    ByteBuffer body = kernel.call(server, KernelRequest.of(KernelRequest.STATFS, FILE, 0)).body(80);

    assertThat(body.getLong(0)).as("blocks").isEqualTo(LENGTH / 4096);
    long used = (disk.allocatedBytes() + 4095) / 4096;
    assertThat(body.getLong(8)).as("free").isEqualTo(LENGTH / 4096 - used);
    assertThat(body.getLong(16)).as("available").isEqualTo(body.getLong(8));
    assertThat(body.getLong(24)).as("files").isEqualTo(2);
    assertThat(body.getLong(32)).as("free files").isZero();
    assertThat(body.getInt(40)).as("block size").isEqualTo(4096);
    assertThat(body.getInt(44)).as("longest name").isEqualTo(255);
    assertThat(body.getInt(48)).as("fragment size").isEqualTo(4096);
  }
}
