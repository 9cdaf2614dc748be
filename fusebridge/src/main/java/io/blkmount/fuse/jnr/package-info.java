// SPDX-License-Identifier: Apache-2.0
/**
 * The way through libfuse 2, which jnr-fuse binds.
 *
 * <p>libfuse mounts, decodes and replies; the threads are ours. Its own loop would attach and
 * detach a Java thread for each of the first thousand upcalls of a native one, and end its threads
 * with {@code pthread_cancel}, which a Java thread does not survive.
 */
@NullMarked
package io.blkmount.fuse.jnr;

import org.jspecify.annotations.NullMarked;
