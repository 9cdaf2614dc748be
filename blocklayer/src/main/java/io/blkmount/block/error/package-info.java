// SPDX-License-Identifier: Apache-2.0
/** What can go wrong, as an enum with one constant per errno and the exceptions that carry it. */
@NullMarked
package io.blkmount.block.error;

import org.jspecify.annotations.NullMarked;
