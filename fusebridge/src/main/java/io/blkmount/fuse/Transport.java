// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import java.io.IOException;
import java.util.List;

/**
 * A way for requests to come from the kernel. It converts and delegates: what a request means is
 * said by {@link Export}, {@link OpenExports} and {@link FileAttributes}, the same for every way.
 *
 * <p>Found with {@link java.util.ServiceLoader}.
 */
public interface Transport {
  /** Returns the name that a user chooses it by. */
  String name();

  /** Returns whether this host has what the transport needs; a mount may still be refused. */
  boolean worksHere();

  /**
   * Mounts and begins to serve.
   *
   * @param mountPoint without links; free and of the right type
   * @param served what to serve
   * @return what goes on from then on
   * @throws IOException with the reason on one line; nothing is mounted then
   */
  Session mount(String mountPoint, ServedTree served) throws IOException;

  /** One mount being served. */
  interface Session {
    /**
     * Waits until the kernel has let go and every request has ended.
     *
     * @param timeoutMillis how long; 0 only looks
     * @return whether that is so
     * @throws InterruptedException if the waiting thread was interrupted
     */
    boolean awaitEnd(long timeoutMillis) throws InterruptedException;

    /** Returns what {@link #awaitEnd} would, without waiting. */
    boolean hasEnded();

    /** Returns what was asked for and could not be had, one line each. */
    List<String> remarks();

    /**
     * Tells the kernel to forget what it has cached of a file: its attributes, and a range of its
     * bytes. Returns before it has.
     *
     * @param inode of the file
     * @param offset in bytes
     * @param length in bytes; 0 for all that follows
     */
    void invalidate(long inode, long offset, long length);
  }
}
