// SPDX-License-Identifier: Apache-2.0
/** The service provider interface: what a format or protocol implements, and what it is handed. */
@NullMarked
package io.blkmount.block.driver;

import org.jspecify.annotations.NullMarked;
