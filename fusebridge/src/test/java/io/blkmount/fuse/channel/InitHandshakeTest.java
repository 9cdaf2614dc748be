// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is agreed on when a mount begins. */
final class InitHandshakeTest {
  private static final int ALL = -1;
  private static final int EPROTO = 71;

  private static final int BIG_WRITES = 5;
  private static final int AUTO_INVAL_DATA = 12;
  private static final int WRITEBACK_CACHE = 16;
  private static final int MAX_PAGES = 22;
  private static final int INIT_EXT = 30;
  private static final int PASSTHROUGH = 37;
  private static final int OVER_IO_URING = 41;

  private FakeKernel kernel;

  @BeforeEach
  void start() throws IOException {
    kernel = new FakeKernel();
  }

  @AfterEach
  void end() {
    kernel.close();
  }

  /** struct fuse_init_in; it had no flags2 before 7.36, and 16 bytes. */
  private static KernelRequest init(int major, int minor, int flags, int flags2) {
    KernelRequest request = KernelRequest.of(KernelRequest.INIT, 0, minor < 36 ? 16 : 64);
    request.putInt(0, major).putInt(4, minor).putInt(8, 131_072).putInt(12, flags);
    return minor < 36 ? request : request.putInt(16, flags2);
  }

  private long perform(KernelRequest init, boolean passthrough) throws BlockException {
    long unused = kernel.send(init);
    return InitHandshake.perform(kernel.device(), kernel.memory(), passthrough);
  }

  private static boolean has(ByteBuffer reply, int bit) {
    int word = bit < 32 ? reply.getInt(12) : reply.getInt(32);
    return (word >>> bit % 32 & 1) != 0;
  }

  @Test
  void requestsOfOneMebibyteAreAgreedOn() throws IOException {
    long agreed = perform(init(7, 45, ALL, ALL), false);
    ByteBuffer reply = kernel.reply().body(64); // struct fuse_init_out

    assertThat(reply.getInt(0)).as("major").isEqualTo(7);
    assertThat(reply.getInt(4)).as("minor").isEqualTo(45);
    assertThat(reply.getInt(8)).as("readahead").isEqualTo(1 << 20);
    assertThat(reply.getInt(20)).as("max_write").isEqualTo(1 << 20);
    assertThat(reply.getShort(28)).as("max_pages").isEqualTo((short) 256);
    assertThat(reply.getInt(24)).as("time granularity").isEqualTo(1);
    assertThat(reply.getShort(16)).as("background").isGreaterThanOrEqualTo((short) 32);
    assertThat(reply.getShort(18)).as("congestion").isBetween((short) 16, reply.getShort(16));
    assertThat(has(reply, BIG_WRITES) && has(reply, MAX_PAGES) && has(reply, INIT_EXT)).isTrue();
    assertThat(reply.getLong(12) & 0xffffffffL | (long) reply.getInt(32) << 32).isEqualTo(agreed);
  }

  @Test
  void whatWouldBreakOurPromisesIsDeclined() throws IOException {
    long unused = perform(init(7, 45, ALL, ALL), true);
    ByteBuffer reply = kernel.reply().body(64);

    assertThat(has(reply, WRITEBACK_CACHE)).as("the kernel would own size and times").isFalse();
    assertThat(has(reply, AUTO_INVAL_DATA)).as("each write would drop the cache").isFalse();
    assertThat(has(reply, OVER_IO_URING)).as("nobody serves it").isFalse();
  }

  @ParameterizedTest(name = "wanted: {0}, offered: {1}")
  @CsvSource({"true, true", "true, false", "false, true"})
  void passthroughNeedsBothSides(boolean wanted, boolean offered) throws IOException {
    long agreed = perform(init(7, 45, ALL, offered ? ALL : 0), wanted);
    ByteBuffer reply = kernel.reply().body(64);

    boolean both = wanted && offered;
    assertThat(has(reply, PASSTHROUGH)).isEqualTo(both);
    assertThat(reply.getInt(36)).as("stack depth").isEqualTo(both ? 1 : 0);
    assertThat((agreed & InitHandshake.PASSTHROUGH) != 0).isEqualTo(both);
  }

  @Test
  void nothingIsAgreedOnThatWasNotOffered() throws IOException {
    int few = 1 << INIT_EXT | 1 << MAX_PAGES;
    long agreed = perform(init(7, 40, few, 0), true);
    ByteBuffer reply = kernel.reply().body(64);

    assertThat(agreed).isEqualTo(few);
    assertThat(reply.getInt(4)).as("the older protocol of both").isEqualTo(40);
    assertThat(reply.getInt(12)).isEqualTo(few);
    assertThat(reply.getInt(32)).isZero();
  }

  /** Where the longer request has its second word of flags, the shorter leaves what was there. */
  @Test
  void oldRequestHasNoSecondWordOfFlags() throws IOException {
    kernel.memory().bytes().putInt(RequestMemory.REQUEST + 40 + 16, ALL);

    long agreed = perform(init(7, 31, ~(1 << INIT_EXT), 0), true);

    assertThat(agreed >>> 32).isZero();
    assertThat(kernel.reply().body(64).getInt(32)).isZero();
  }

  @ParameterizedTest(name = "7.{0}")
  @ValueSource(ints = {28, 29, 35, 36, 44, 45, 46, 99})
  void newerKernelsSpeakWhatWeSpeak(int minor) throws IOException {
    long unused = perform(init(7, minor, ALL & ~(1 << INIT_EXT), 0), false);

    assertThat(kernel.reply().body(64).getInt(4)).isEqualTo(Math.min(minor, 45));
  }

  @ParameterizedTest(name = "{0}.{1}")
  @CsvSource({"7, 27", "7, 8", "6, 45"})
  void olderKernelsAreRefusedInOneLine(int major, int minor) {
    assertThatThrownBy(() -> perform(init(major, minor, ALL, ALL), false))
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.NOT_SUPPORTED))
        .hasMessage(
            "the kernel speaks FUSE %d.%d, needed is 7.28 (Linux 4.20) or newer;"
                    .formatted(major, minor)
                + " --fuse jnr-fuse works with older ones");
    kernel.reply().requireErrno(EPROTO);
  }

  @Test
  void anotherFirstRequestIsRefused() {
    assertThatThrownBy(() -> perform(KernelRequest.attributes(1, 0, 0), false))
        .isInstanceOf(BlockException.class);
    kernel.reply().requireErrno(EPROTO);
  }
}
