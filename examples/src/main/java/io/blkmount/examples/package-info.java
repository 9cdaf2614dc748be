// SPDX-License-Identifier: Apache-2.0
/** Programs that use the library. */
@NullMarked
package io.blkmount.examples;

import org.jspecify.annotations.NullMarked;
