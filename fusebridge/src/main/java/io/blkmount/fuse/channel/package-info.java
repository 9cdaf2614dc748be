// SPDX-License-Identifier: Apache-2.0
/** The way through /dev/fuse itself, without a library in between. */
@NullMarked
package io.blkmount.fuse.channel;

import org.jspecify.annotations.NullMarked;
