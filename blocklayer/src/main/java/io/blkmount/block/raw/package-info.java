// SPDX-License-Identifier: Apache-2.0
/** The raw format: the bytes of the disk are the bytes of the file, or of a window in it. */
@NullMarked
package io.blkmount.block.raw;

import org.jspecify.annotations.NullMarked;
