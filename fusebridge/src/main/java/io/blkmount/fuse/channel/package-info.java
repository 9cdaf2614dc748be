// SPDX-License-Identifier: Apache-2.0
/**
 * The way straight to the kernel: requests are read from {@code /dev/fuse}, decoded where they lie,
 * and answered there.
 *
 * <pre>
 *   kernel   read(2)  -&gt; RequestMemory, seen as FuseRequest -&gt; RequestServer -&gt; ExportTree, Export
 *            write(2) &lt;- RequestMemory, seen as FuseReply   &lt;-
 * </pre>
 *
 * <p>A thread serves a request from start to end. Who may wait for the next one is said by {@link
 * io.blkmount.fuse.channel.WorkerPool}. Its lock is the only one here; it is held for moments,
 * never over a request.
 */
@NullMarked
package io.blkmount.fuse.channel;

import org.jspecify.annotations.NullMarked;
