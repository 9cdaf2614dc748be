// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.blkmount.fuse.Errnos;
import java.nio.ByteBuffer;

/**
 * The answer to a request, made in the memory that the request came in.
 *
 * <pre>
 *   fuse_out_header   0  4 length    4  4 negative errno or 0    8  8 unique
 *   then, from 16, what was asked for
 * </pre>
 */
final class FuseReply {
  private static final System.Logger LOG = System.getLogger(FuseReply.class.getName());

  static final int HEADER = 16;

  private static final int LENGTH = RequestMemory.REPLY;
  private static final int ERROR = RequestMemory.REPLY + 4;
  private static final int UNIQUE = RequestMemory.REPLY + 8;

  private final RequestMemory memory;
  private final ByteBuffer bytes;
  private final DevFuse device;
  private long unique;

  FuseReply(RequestMemory memory, DevFuse device) {
    this.memory = memory;
    this.bytes = memory.bytes();
    this.device = device;
  }

  /** Says which request the next answer is for. */
  void begin(long unique) {
    this.unique = unique;
  }

  /** Answers that it is done and there is nothing to say. */
  void done() {
    data(0);
  }

  /** Answers with an error. */
  void error(int errno) {
    boolean unused = send(-errno, 0);
  }

  /** Answers with what is in the data area; returns whether somebody was still waiting. */
  @CanIgnoreReturnValue
  boolean data(int length) {
    return send(0, length);
  }

  FuseReply clear(int length) {
    for (int i = 0; i < length; i += Long.BYTES) {
      bytes.putLong(RequestMemory.DATA + i, 0);
    }
    return this;
  }

  FuseReply putLong(int offset, long value) {
    bytes.putLong(RequestMemory.DATA + offset, value);
    return this;
  }

  FuseReply putInt(int offset, int value) {
    bytes.putInt(RequestMemory.DATA + offset, value);
    return this;
  }

  FuseReply putShort(int offset, int value) {
    bytes.putShort(RequestMemory.DATA + offset, (short) value);
    return this;
  }

  FuseReply putBytes(int offset, byte[] value) {
    bytes.put(RequestMemory.DATA + offset, value);
    return this;
  }

  private boolean send(int error, int length) {
    bytes.putInt(LENGTH, HEADER + length);
    bytes.putInt(ERROR, error);
    bytes.putLong(UNIQUE, unique);
    int errno = device.send(memory.address(RequestMemory.REPLY), HEADER + length);
    if (errno != 0 && errno != Errnos.NOT_FOUND && errno != Errnos.NO_DEVICE) {
      refused(errno, length);
    }
    return errno == 0;
  }

  /** Nobody waits any more for ENOENT and ENODEV; anything else leaves the caller waiting. */
  private void refused(int errno, int length) {
    LOG.log(
        System.Logger.Level.ERROR,
        "the kernel refused a reply of " + length + " bytes with errno " + errno);
    if (length > 0) {
      error(Errnos.IO);
    }
  }
}
