// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BlockDriver;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.ProbeInput;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.raw.RawDriver;
import io.blkmount.block.request.BeforeWrite;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * Keeps an image that was probed as raw from becoming something else. Who may write the disk could
 * otherwise write a header that names any file of the host as its backing file, and read that file
 * when the image is probed the next time.
 */
final class RawProbeGuard implements BeforeWrite {
  private static final System.Logger LOG = System.getLogger(RawProbeGuard.class.getName());

  private final DriverInstance image;
  private final FormatProbe probe;
  private final String imageName;

  /** One line is enough: who is refused may try again and again. */
  private final AtomicBoolean logged = new AtomicBoolean();

  RawProbeGuard(DriverInstance image, FormatProbe probe, String imageName) {
    this.image = image;
    this.probe = probe;
    this.imageName = imageName;
  }

  @Override
  public long guardedLength() {
    return ProbeInput.LENGTH;
  }

  @Override
  public void check(long offset, ByteBuffer source) throws IOException {
    check(offset, source.remaining(), start -> overlay(start, offset, source.duplicate()));
  }

  @Override
  public void checkZeroes(long offset, long length) throws IOException {
    check(offset, length, start -> overlayZeroes(start, offset, length));
  }

  private void check(long offset, long length, Consumer<ByteBuffer> change) throws IOException {
    if (offset >= ProbeInput.LENGTH || length == 0) {
      return;
    }
    long reach = Math.max(image.length(), offset + length);
    ByteBuffer start = ByteBuffer.allocateDirect((int) Math.min(reach, ProbeInput.LENGTH));
    image.read(0, start.limit((int) Math.min(image.length(), start.capacity())));
    change.accept(start.clear());
    BlockDriver found = probe.surest(new ProbeInput(imageName, start.asReadOnlyBuffer(), false));
    if (!found.name().equals(RawDriver.NAME)) {
      throw refusal(found.name());
    }
  }

  private static void overlay(ByteBuffer start, long offset, ByteBuffer source) {
    int at = (int) offset;
    int count = Math.min(source.remaining(), start.capacity() - at);
    start.put(at, source, source.position(), count);
  }

  private static void overlayZeroes(ByteBuffer start, long offset, long length) {
    int end = (int) Math.min(offset + length, start.capacity());
    for (int i = (int) offset; i < end; i++) {
      start.put(i, (byte) 0);
    }
  }

  private BlockException refusal(String format) {
    String message =
        "write refused: it would make \"%s\", which was probed as raw, look like %s; -f raw allows it"
            .formatted(HostName.printable(imageName), format);
    if (!logged.getAndSet(true)) {
      LOG.log(Level.WARNING, message);
    }
    return new BlockException(BlockError.NOT_PERMITTED, message);
  }
}
