// SPDX-License-Identifier: Apache-2.0
/** Ranges, rounding, zero bytes and borrowed buffers. */
@NullMarked
package io.blkmount.block.bytes;

import org.jspecify.annotations.NullMarked;
