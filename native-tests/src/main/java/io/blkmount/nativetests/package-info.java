// SPDX-License-Identifier: Apache-2.0
/** Tests on real mounts. */
@NullMarked
package io.blkmount.nativetests;

import org.jspecify.annotations.NullMarked;
