// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the kernel is told without having asked. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class NotifierTest {
  private static final int FUSE_NOTIFY_INVAL_INODE = 2;

  private FakeKernel kernel;
  private Notifier notifier;

  @BeforeEach
  void start() throws IOException {
    kernel = new FakeKernel();
    notifier = new Notifier(kernel.device(), kernel.memory());
  }

  @AfterEach
  void end() {
    assertThat(notifier.close()).isTrue();
    kernel.close();
  }

  /** struct fuse_out_header with a code for an error, and struct fuse_notify_inval_inode_out. */
  private void assertTold(long inode, long offset, long length) {
    ByteBuffer message = kernel.awaitMessage();
    assertThat(message.remaining()).isEqualTo(40);
    assertThat(message.getInt(0)).as("length").isEqualTo(40);
    assertThat(message.getInt(4)).as("code").isEqualTo(FUSE_NOTIFY_INVAL_INODE);
    assertThat(message.getLong(8)).as("request").isZero();
    assertThat(message.getLong(16)).as("inode").isEqualTo(inode);
    assertThat(message.getLong(24)).as("offset").isEqualTo(offset);
    assertThat(message.getLong(32)).as("length of the range").isEqualTo(length);
  }

  @Test
  void rangesAreToldOneAfterTheOther() {
    notifier.invalidate(2, 65_536, 8192);
    notifier.invalidate(3, 0, 0);

    assertTold(2, 65_536, 8192);
    assertTold(3, 0, 0);
  }

  @Test
  void nothingIsToldAfterTheEnd() {
    assertThat(notifier.close()).isTrue();

    notifier.invalidate(2, 0, 0);

    kernel.requireSilence();
  }
}
