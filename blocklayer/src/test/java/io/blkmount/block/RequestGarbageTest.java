// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * How many bytes of objects one request makes, exactly counted by the JVM. The bounds are what the
 * first compiler's code makes, without the objects that the second one does away with.
 */
final class RequestGarbageTest {
  private static final int CLUSTER = 64 << 10;
  private static final int SHORT = 4 << 10;

  /** So many that what loading a table costs now and then is less than a byte for each. */
  private static final int REQUESTS = 2000;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @TempDir Path folder;

  private interface Request {
    void on(BlockBackend disk, int number, ByteBuffer buffer) throws IOException;
  }

  @Test
  void requestsOnMappedClustersMakeLittle() throws IOException {
    try (BlockBackend disk = filled("disk.qcow2")) {
      assertThat(bytesPerRequest(disk, SHORT, RequestGarbageTest::read)).isLessThan(200);
      assertThat(bytesPerRequest(disk, SHORT, RequestGarbageTest::write)).isLessThan(250);
    }
  }

  @Test
  void longRequestsMakeNoMoreThanShortOnes() throws IOException {
    try (BlockBackend disk = filled("disk.qcow2")) {
      assertThat(bytesPerRequest(disk, CLUSTER, RequestGarbageTest::read)).isLessThan(200);
      assertThat(bytesPerRequest(disk, CLUSTER, RequestGarbageTest::write)).isLessThan(250);
    }
  }

  @Test
  void writesThatAllocateMakeLittle() throws IOException {
    try (BlockBackend warm = created("warm.qcow2", null)) {
      long unused = bytesPerRequest(warm, SHORT, RequestGarbageTest::write);
    }
    try (BlockBackend disk = created("disk.qcow2", null)) {
      assertThat(bytesPerRequest(disk, SHORT, RequestGarbageTest::write)).isLessThan(320);
    }
  }

  /** Such a write is two requests: its own, and the one that reads the rest of the cluster. */
  @Test
  void writesThatCopyFromABackingFileMakeLittle() throws IOException {
    filled("base.qcow2").close();
    BackingReference base = new BackingReference("base.qcow2", "qcow2");
    try (BlockBackend warm = created("warm.qcow2", base)) {
      long unused = bytesPerRequest(warm, SHORT, RequestGarbageTest::write);
    }
    try (BlockBackend disk = created("disk.qcow2", base)) {
      assertThat(bytesPerRequest(disk, SHORT, RequestGarbageTest::write)).isLessThan(500);
    }
  }

  private BlockBackend filled(String name) throws IOException {
    BlockBackend disk = created(name, null);
    ByteBuffer content = Images.bytes(1 << 20, 'x');
    for (long offset = 0; offset < disk.length(); offset += content.capacity()) {
      disk.write(offset, content.clear());
    }
    return disk;
  }

  private BlockBackend created(String name, BackingReference backing) throws IOException {
    String image = folder.resolve(name).toString();
    long length = (long) REQUESTS * CLUSTER;
    BlockLayer.create(image, "qcow2", new CreateOptions(length, backing, Map.of()));
    return BlockLayer.open(OpenOptions.of(image).withFormat("qcow2"));
  }

  private static void read(BlockBackend disk, int number, ByteBuffer buffer) throws IOException {
    disk.read((long) number * CLUSTER, buffer);
  }

  private static void write(BlockBackend disk, int number, ByteBuffer buffer) throws IOException {
    disk.write((long) number * CLUSTER, buffer);
  }

  /** Makes a request in each cluster of the disk. */
  private static long bytesPerRequest(BlockBackend disk, int length, Request request)
      throws IOException {
    ByteBuffer buffer = Images.bytes(length, 'y');
    long thread = Thread.currentThread().getId();
    long before = THREADS.getThreadAllocatedBytes(thread);
    for (int number = 0; number < REQUESTS; number++) {
      request.on(disk, number, buffer.clear());
    }
    return (THREADS.getThreadAllocatedBytes(thread) - before) / REQUESTS;
  }
}
