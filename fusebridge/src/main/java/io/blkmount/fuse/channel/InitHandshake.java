// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.Errnos;

/**
 * The first request of a mount: both sides say what they can do.
 *
 * <pre>
 *   reply    0  4 major            4  4 minor       8  4 max_readahead   12  4 flags
 *           16  2 max_background  18  2 congestion_threshold
 *           20  4 max_write       24  4 time_gran  28  2 max_pages
 *           32  4 flags2          36  4 max_stack_depth                  64  end
 * </pre>
 */
final class InitHandshake {
  /** How many requests the kernel sends at once beside those that somebody waits for. */
  static final int MAX_BACKGROUND = 256;

  static final long INIT_EXT = 1L << 30;
  static final long PASSTHROUGH = 1L << 37;

  private static final long ASYNC_READ = 1L;
  private static final long ATOMIC_O_TRUNC = 1L << 3;
  private static final long BIG_WRITES = 1L << 5;
  private static final long DO_READDIRPLUS = 1L << 13;
  private static final long READDIRPLUS_AUTO = 1L << 14;
  private static final long ASYNC_DIO = 1L << 15;
  private static final long PARALLEL_DIROPS = 1L << 18;
  private static final long ABORT_ERROR = 1L << 21;
  private static final long MAX_PAGES = 1L << 22;

  /** Our own writes move the modification time: the cache must not be dropped for that. */
  private static final long EXPLICIT_INVAL_DATA = 1L << 25;

  /** No file here has set-user-id bits, so the kernel need not ask before each write. */
  private static final long HANDLE_KILLPRIV_V2 = 1L << 28;

  private static final long DIRECT_IO_ALLOW_MMAP = 1L << 36;

  private static final long WANTED =
      ASYNC_READ
          | ATOMIC_O_TRUNC
          | BIG_WRITES
          | DO_READDIRPLUS
          | READDIRPLUS_AUTO
          | ASYNC_DIO
          | PARALLEL_DIROPS
          | ABORT_ERROR
          | MAX_PAGES
          | EXPLICIT_INVAL_DATA
          | HANDLE_KILLPRIV_V2
          | INIT_EXT
          | DIRECT_IO_ALLOW_MMAP;

  private static final int MAJOR = 7;

  /** The protocol that this package was written for. */
  private static final int MINOR = 45;

  /** Linux 4.20, the first with requests of 1 MiB. */
  private static final int OLDEST_MINOR = 28;

  private static final int CONGESTION_THRESHOLD = MAX_BACKGROUND * 3 / 4;
  private static final int PAGE = 4096;
  private static final int BODY = 64;
  private static final int EPROTO = 71;

  private InitHandshake() {}

  /**
   * Waits for the request and answers it.
   *
   * @param passthrough whether to ask for it
   * @return what the kernel and we have agreed on, as bits
   */
  static long perform(DevFuse device, RequestMemory memory, boolean passthrough)
      throws BlockException {
    receive(device, memory);
    FuseRequest request = new FuseRequest(memory);
    FuseReply reply = new FuseReply(memory, device);
    reply.begin(request.unique());
    requireUsable(request, reply);
    long agreed = request.features() & (passthrough ? WANTED | PASSTHROUGH : WANTED);
    answer(request, reply, agreed);
    return agreed;
  }

  private static void receive(DevFuse device, RequestMemory memory) throws BlockException {
    int length;
    do {
      device.awaitRequest(memory);
      length = device.receive(memory);
    } while (length == -Errnos.TRY_AGAIN || length == -Errnos.INTERRUPTED);
    if (length < 0) {
      throw new BlockException(Errnos.errorOf(-length), "no first request: errno " + -length);
    }
  }

  private static void requireUsable(FuseRequest request, FuseReply reply) throws BlockException {
    int opcode = request.opcode();
    int major = request.protocolMajor();
    int minor = request.protocolMinor();
    if (opcode != Opcode.INIT || major != MAJOR || minor < OLDEST_MINOR) {
      reply.error(EPROTO);
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          String.format(
              "the kernel speaks FUSE %d.%d, needed is %d.%d (Linux 4.20) or newer;"
                  + " --fuse jnr-fuse works with older ones",
              major, minor, MAJOR, OLDEST_MINOR));
    }
  }

  private static void answer(FuseRequest request, FuseReply reply, long agreed) {
    int minor = Math.min(request.protocolMinor(), MINOR);
    reply
        .clear(BODY)
        .putInt(0, MAJOR)
        .putInt(4, minor)
        .putInt(8, RequestMemory.MAX_TRANSFER)
        .putInt(12, (int) agreed)
        .putShort(16, MAX_BACKGROUND)
        .putShort(18, CONGESTION_THRESHOLD)
        .putInt(20, RequestMemory.MAX_TRANSFER)
        .putInt(24, 1)
        .putShort(28, RequestMemory.MAX_TRANSFER / PAGE)
        .putInt(32, (int) (agreed >>> Integer.SIZE))
        .putInt(36, (agreed & PASSTHROUGH) != 0 ? 1 : 0)
        .data(BODY);
  }
}
