// SPDX-License-Identifier: Apache-2.0
/** Tests of the request pipeline, against plain arrays, faulty drivers and each other's threads. */
@NullMarked
package io.blkmount.block.request;

import org.jspecify.annotations.NullMarked;
