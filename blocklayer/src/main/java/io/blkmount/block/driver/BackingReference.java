// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import org.jspecify.annotations.Nullable;

/**
 * A backing file as an image's header names it.
 *
 * @param name as written in the image: relative to the image's folder, absolute, or with a {@code
 *     file:} prefix; decoded by {@code HostName}, so that names that are no UTF-8 survive
 * @param format driver name from the header, or null if the image does not say
 */
public record BackingReference(String name, @Nullable String format) {}
