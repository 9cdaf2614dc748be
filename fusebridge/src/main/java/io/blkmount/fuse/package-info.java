// SPDX-License-Identifier: Apache-2.0
/** The images as files: export tree, handles, attributes, mount and unmount. */
@NullMarked
package io.blkmount.fuse;

import org.jspecify.annotations.NullMarked;
