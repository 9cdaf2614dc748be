// SPDX-License-Identifier: Apache-2.0
/** From a name to a chain of opened nodes. */
@NullMarked
package io.blkmount.block.open;

import org.jspecify.annotations.NullMarked;
