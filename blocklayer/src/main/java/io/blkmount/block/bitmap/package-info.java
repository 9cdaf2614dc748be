// SPDX-License-Identifier: Apache-2.0
/**
 * Which parts of a disk were written.
 *
 * <p>The lock of a bitmap is a leaf: nothing is called while it is held. To find what is marked
 * already, or to mark it again, takes no lock.
 */
@NullMarked
package io.blkmount.block.bitmap;

import org.jspecify.annotations.NullMarked;
