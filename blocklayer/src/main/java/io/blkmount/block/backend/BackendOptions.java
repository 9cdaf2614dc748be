// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

/**
 * What a backend is told about the image that it shows.
 *
 * @param imageName the name that the image was opened by
 * @param format driver name of the image
 * @param flushAfterWrite whether every write is durable before it returns
 * @param resizable whether the disk's user may change its length
 * @param modifiedNanos when the image last changed, in nanoseconds since 1970
 * @param lending whether the kernel may have the image file
 */
public record BackendOptions(
    String imageName,
    String format,
    boolean flushAfterWrite,
    boolean resizable,
    long modifiedNanos,
    FileLending lending) {}
