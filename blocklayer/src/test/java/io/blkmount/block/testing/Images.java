// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.DriverInstance;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.SplittableRandom;

/** Buffers and image contents for tests. */
public final class Images {
  /** Multiplies the size of random tests: {@code -Dblkmount.tests.scale=100} for a long run. */
  public static final int SCALE = Integer.getInteger("blkmount.tests.scale", 1);

  private Images() {}

  /**
   * Returns a direct buffer of non-zero bytes: position 0, limit {@code length}.
   *
   * @param length in bytes
   * @param seed of the pattern
   */
  public static ByteBuffer bytes(int length, long seed) {
    return ByteBuffer.allocateDirect(length).put(DiskModel.pattern(length, seed)).flip();
  }

  /**
   * Returns a direct buffer of non-zero bytes of which the end, a part that depends on the seed, is
   * one byte over and over: compressed it may have any length.
   *
   * @param length in bytes
   * @param seed of the pattern
   */
  public static ByteBuffer compressible(int length, long seed) {
    byte[] bytes = DiskModel.pattern(length, seed);
    int noise = new SplittableRandom(seed + 1).nextInt(length + 1);
    Arrays.fill(bytes, noise, length, bytes[0]);
    return ByteBuffer.allocateDirect(length).put(bytes).flip();
  }

  /**
   * Returns a direct buffer of random bytes, which no compression makes shorter.
   *
   * @param length in bytes
   * @param seed of the bytes
   */
  public static ByteBuffer noise(int length, long seed) {
    byte[] bytes = new byte[length];
    new SplittableRandom(seed).nextBytes(bytes);
    return ByteBuffer.allocateDirect(length).put(bytes).flip();
  }

  /**
   * Reads through byte I/O.
   *
   * @param io what to read
   * @param offset in bytes
   * @param length in bytes
   * @return a buffer ready to be read
   * @throws IOException if it cannot be read
   */
  public static ByteBuffer read(BlockIo io, long offset, int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(length);
    io.read(offset, buffer);
    return checkConsumed(buffer);
  }

  /**
   * Reads from a driver.
   *
   * @param driver what to read
   * @param offset aligned
   * @param length aligned
   * @return a buffer ready to be read
   * @throws IOException if it cannot be read
   */
  public static ByteBuffer read(DriverInstance driver, long offset, int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(length);
    driver.read(offset, buffer);
    return checkConsumed(buffer);
  }

  private static ByteBuffer checkConsumed(ByteBuffer buffer) {
    if (buffer.hasRemaining()) {
      throw new AssertionError("short read: " + buffer);
    }
    return buffer.flip();
  }

  /**
   * Copies a host file into memory, holes as holes.
   *
   * @param file which
   */
  public static PagedBytes load(Path file) {
    try {
      byte[] content = Files.readAllBytes(file);
      PagedBytes bytes = new PagedBytes(content.length);
      for (int at = 0; at < content.length; at += PagedBytes.PAGE) {
        ByteBuffer page =
            ByteBuffer.wrap(content, at, Math.min(PagedBytes.PAGE, content.length - at));
        if (!isZero(page)) {
          bytes.write(at, page);
        }
      }
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean isZero(ByteBuffer page) {
    for (int i = page.position(); i < page.limit(); i++) {
      if (page.get(i) != 0) {
        return false;
      }
    }
    return true;
  }

  /**
   * Writes the content to a host file, holes as holes.
   *
   * @param bytes what
   * @param file where; replaced if it exists
   */
  public static void store(PagedBytes bytes, Path file) {
    try (var channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      for (long at = 0; at < bytes.length(); at += PagedBytes.PAGE) {
        int count = (int) Math.min(PagedBytes.PAGE, bytes.length() - at);
        if (bytes.isAllocated(at) || at + count == bytes.length()) {
          writeFully(channel, ByteBuffer.wrap(bytes.bytes(at, count)), at);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer source, long at)
      throws IOException {
    while (source.hasRemaining()) {
      at += channel.write(source, at);
    }
  }
}
