// SPDX-License-Identifier: Apache-2.0
/** The qcow2 format, versions 2 and 3. */
@NullMarked
package io.blkmount.block.qcow2;

import org.jspecify.annotations.NullMarked;
