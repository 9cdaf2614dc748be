// SPDX-License-Identifier: Apache-2.0
/** What {@code native-tests/badimages} runs: images that were made up to do harm, one by one. */
@NullMarked
package io.blkmount.nativetests.hostile;

import org.jspecify.annotations.NullMarked;
