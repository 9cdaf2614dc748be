// SPDX-License-Identifier: Apache-2.0
/** How cost grows with the size and the shape of an image: {@code native-tests/bench-growth}. */
@NullMarked
package io.blkmount.nativetests.growth;

import org.jspecify.annotations.NullMarked;
