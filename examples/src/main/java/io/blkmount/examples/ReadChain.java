// SPDX-License-Identifier: Apache-2.0
package io.blkmount.examples;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.open.OpenOptions;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Locale;

/**
 * Opens an image with everything below it, prints which layer holds what, and dumps a range.
 *
 * <pre>{@code
 * java -cp ... io.blkmount.examples.ReadChain top.qcow2 0 512
 * }</pre>
 */
public final class ReadChain {
  private static final int BYTES_PER_LINE = 16;
  private static final HexFormat HEX = HexFormat.ofDelimiter(" ");

  private final BlockBackend disk;
  private final PrintStream out;

  private ReadChain(BlockBackend disk, PrintStream out) {
    this.disk = disk;
    this.out = out;
  }

  /**
   * Runs the example; exit code 1 and one line on standard error if it fails.
   *
   * @param arguments image, and the offset and length of the range to dump
   */
  public static void main(String[] arguments) {
    if (arguments.length != 1 && arguments.length != 3) {
      fail("usage: ReadChain IMAGE [OFFSET LENGTH]");
    }
    try {
      long offset = arguments.length == 1 ? 0 : Long.parseLong(arguments[1]);
      int length = arguments.length == 1 ? 0 : Integer.parseInt(arguments[2]);
      print(arguments[0], offset, length, System.out);
    } catch (IOException | NumberFormatException e) {
      fail(e.getMessage());
    }
  }

  private static void fail(String message) {
    System.err.println("ReadChain: " + message);
    System.exit(1);
  }

  /**
   * Prints what is known of an image and a range of its bytes.
   *
   * @param image file name
   * @param offset of the range, in bytes
   * @param length of the range, in bytes
   * @param out where to
   * @throws IOException if the image cannot be opened or read
   */
  static void print(String image, long offset, int length, PrintStream out) throws IOException {
    // Read-only: the example works beside others that only read, and can do no harm.
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(image).withReadOnly(true))) {
      ReadChain example = new ReadChain(disk, out);
      out.printf("%s: %s, %d bytes%n", disk.imageName(), disk.format(), disk.length());
      example.printExtents();
      example.printBytes(offset, length);
    }
  }

  /** Asks from the end of each answer on; an answer may stop before its run does. */
  private void printExtents() throws IOException {
    long length = disk.length();
    out.printf("%15s %15s  %-12s %5s  %s%n", "offset", "length", "kind", "depth", "host offset");
    long offset = 0;
    while (offset < length) {
      Extent extent = disk.extentAt(offset, length - offset);
      printExtent(extent);
      offset = extent.end();
    }
  }

  private void printExtent(Extent extent) {
    String kind = extent.kind().name().toLowerCase(Locale.ROOT);
    String host =
        extent.hostOffset() == Extent.NO_HOST_OFFSET
            ? "-"
            : "0x" + Long.toHexString(extent.hostOffset());
    out.printf(
        "%15d %15d  %-12s %5d  %s%n", extent.offset(), extent.length(), kind, extent.depth(), host);
  }

  private void printBytes(long offset, int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocateDirect(length);
    disk.read(offset, bytes);
    bytes.flip();
    byte[] line = new byte[BYTES_PER_LINE];
    for (long at = offset; bytes.hasRemaining(); at += BYTES_PER_LINE) {
      int count = Math.min(BYTES_PER_LINE, bytes.remaining());
      bytes.get(line, 0, count);
      out.printf("%08x  %s%n", at, HEX.formatHex(line, 0, count));
    }
  }
}
