// SPDX-License-Identifier: Apache-2.0
/** Tests of the commands without a mount. */
@NullMarked
package io.blkmount.cli;

import org.jspecify.annotations.NullMarked;
