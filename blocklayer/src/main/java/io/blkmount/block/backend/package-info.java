// SPDX-License-Identifier: Apache-2.0
/**
 * The handle that code outside the block layer holds on an opened chain, and the one place where
 * requests are stopped.
 */
@NullMarked
package io.blkmount.block.backend;

import org.jspecify.annotations.NullMarked;
