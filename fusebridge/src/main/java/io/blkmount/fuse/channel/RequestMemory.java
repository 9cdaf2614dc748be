// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import com.kenai.jffi.MemoryIO;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Memory for one request and its reply. The data of both begins on a page, so that it can go to an
 * image opened with O_DIRECT, and is never copied:
 *
 * <pre>
 *            0  scratch          for the arguments of other calls
 *    page - 80  fuse_in_header   40 bytes
 *    page - 40  fuse_write_in    40 bytes
 *    page       data of a write
 *
 *    page - 16  fuse_out_header  16 bytes
 *    page       data of a read, or what else is replied
 * </pre>
 *
 * <p>A reply lies over the end of its request: what it needs from there is taken out before.
 */
final class RequestMemory implements AutoCloseable {
  /** The most data in a request, in bytes. */
  static final int MAX_TRANSFER = 1 << 20;

  static final int SCRATCH = 0;
  static final int DATA = 4096;
  static final int REQUEST = DATA - 80;
  static final int REPLY = DATA - 16;

  private static final int PAGE = 4096;
  private static final int HUGE_PAGE = 2 << 20;
  private static final int SIZE = DATA + MAX_TRANSFER + PAGE;

  private static final int MADV_HUGEPAGE = 14;

  private static final MemoryIO MEMORY = MemoryIO.getInstance();

  private final long block;
  private final long address;
  private final ByteBuffer bytes;
  private final ByteBuffer data;

  private RequestMemory(long block, int pageSize) {
    this.block = block;
    address = (block + pageSize - 1) & -pageSize;
    bytes = MEMORY.newDirectByteBuffer(address, SIZE).order(ByteOrder.nativeOrder());
    data = bytes.slice(DATA, MAX_TRANSFER);
  }

  /**
   * Takes memory from the C library: pages are touched only as far as requests are long, and free
   * again when it is closed rather than when the collector comes by.
   */
  static RequestMemory allocate() throws BlockException {
    return new RequestMemory(reserve(SIZE + PAGE), PAGE);
  }

  /**
   * Takes memory in one huge page, if the host has one: the kernel looks up each page that it
   * copies to or from, and long requests are a twentieth faster. It is all touched by the first
   * request.
   */
  static RequestMemory allocateHuge() throws BlockException {
    RequestMemory memory = new RequestMemory(reserve(2 * HUGE_PAGE), HUGE_PAGE);
    int unused = ChannelLibrary.CALLS.madvise(memory.address, HUGE_PAGE, MADV_HUGEPAGE);
    return memory;
  }

  private static long reserve(int length) throws BlockException {
    long block = MEMORY.allocateMemory(length, false);
    if (block == 0) {
      throw new BlockException(BlockError.NO_MEMORY, "no memory for a request: " + SIZE + " bytes");
    }
    return block;
  }

  /** Returns all of it, for access by index, in the byte order of the kernel. */
  ByteBuffer bytes() {
    return bytes;
  }

  /** Returns the data as a buffer that is reused for each request. */
  ByteBuffer data(int length) {
    return data.clear().limit(length);
  }

  /** Returns where a place is in memory. */
  long address(int index) {
    return address + index;
  }

  /** Returns how long a request may be. */
  int requestRoom() {
    return SIZE - REQUEST;
  }

  @Override
  public void close() {
    MEMORY.freeMemory(block);
  }
}
