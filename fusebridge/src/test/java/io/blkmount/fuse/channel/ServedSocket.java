// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.fuse.MemoryDisks;
import java.io.IOException;

/** A disk served by real workers to a kernel that is none. */
final class ServedSocket implements AutoCloseable {
  private static final long FILE = 2;
  private static final long PATIENCE_MILLIS = 20_000;

  private final FakeKernel kernel = new FakeKernel();
  private final BlockBackend disk;
  private final ChannelSession session;
  private final WorkerPool pool;

  ServedSocket(DriverInstance driver, int turns) throws IOException {
    disk = MemoryDisks.over(driver);
    session = new ChannelSession(kernel.device(), kernel.memory(), MemoryDisks.serve(disk), 0);
    pool = new WorkerPool(session, turns);
  }

  FakeKernel kernel() {
    return kernel;
  }

  WorkerPool pool() {
    return pool;
  }

  ChannelSession session() {
    return session;
  }

  /** Begins to serve; returns the handle of the opened file. */
  long open() throws IOException {
    pool.start();
    long unused = kernel.send(KernelRequest.open(FILE, 0));
    return kernel.awaitReply().body(16).getLong(0);
  }

  long sendRead(long handle, long offset, int size) {
    return kernel.send(KernelRequest.read(KernelRequest.READ, FILE, handle, offset, size));
  }

  long sendFlush(long handle) {
    return kernel.send(KernelRequest.ofHandle(KernelRequest.FLUSH, FILE, handle));
  }

  /** Asks for something that no disk is needed for, and waits for the answer. */
  void requireAnswer() {
    long unique = kernel.send(KernelRequest.of(KernelRequest.STATFS, FILE, 0));
    assertThat(kernel.awaitReply().unique()).isEqualTo(unique);
  }

  /** The session closes its descriptor and its memory. */
  @Override
  public void close() throws IOException {
    kernel.end();
    try (disk) {
      assertThat(session.awaitEnd(PATIENCE_MILLIS)).as("the session ends").isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
