// SPDX-License-Identifier: Apache-2.0
/** The facade: opens and creates images by name. */
@NullMarked
package io.blkmount.block;

import org.jspecify.annotations.NullMarked;
