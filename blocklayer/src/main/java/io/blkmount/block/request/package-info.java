// SPDX-License-Identifier: Apache-2.0
/**
 * What happens to a request in front of a driver: bounds, tracking, padding, splitting, zero
 * detection, copy-on-read, flushes.
 *
 * <p>A request is tracked at its own node first and at the nodes below while it is held, never the
 * other way round. The locks of {@code RequestTracker} and {@code FlushSequence} are leaves:
 * nothing is called, and no other lock is taken, while one is held. Waiting for a drain while
 * holding a tracked request is an {@code IllegalStateException}.
 */
@NullMarked
package io.blkmount.block.request;

import org.jspecify.annotations.NullMarked;
