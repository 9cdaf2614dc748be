// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * An answer as the kernel reads it, with the offsets of {@code linux/fuse.h}.
 *
 * @param unique of the request
 * @param errno positive, or 0
 * @param body what follows the header, in the byte order of this machine
 */
record KernelReply(long unique, int errno, ByteBuffer body) {
  /** sizeof(struct fuse_out_header). */
  static final int HEADER = 16;

  /** Takes a reply apart, after the checks that the kernel makes of each. */
  static KernelReply parse(byte[] message, int length) {
    assertThat(length).as("length of a reply").isGreaterThanOrEqualTo(HEADER);
    ByteBuffer bytes = ByteBuffer.wrap(message, 0, length).order(ByteOrder.nativeOrder());
    assertThat(bytes.getInt(0)).as("length in the header").isEqualTo(length);
    int error = bytes.getInt(4);
    assertThat(error).as("error").isBetween(-511, 0);
    assertThat(error == 0 || length == HEADER).as("no body beside an error").isTrue();
    ByteBuffer body = bytes.slice(HEADER, length - HEADER).order(ByteOrder.nativeOrder());
    return new KernelReply(bytes.getLong(8), -error, body);
  }

  /** Returns the body of a reply without an error, which the kernel takes at this length only. */
  ByteBuffer body(int length) {
    assertThat(errno).as("errno").isZero();
    assertThat(body.remaining()).as("length of the body").isEqualTo(length);
    return body;
  }

  /** Returns the body of a reply to a read. */
  ByteBuffer data() {
    assertThat(errno).as("errno").isZero();
    return body;
  }

  /** Fails unless the request went well and there was nothing to say. */
  void requireDone() {
    assertThat(body(0)).isNotNull();
  }

  void requireErrno(int expected) {
    assertThat(errno).as("errno").isEqualTo(expected);
  }
}
