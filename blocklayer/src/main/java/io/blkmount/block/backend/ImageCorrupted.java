// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

/**
 * The first sign of damage in an image of an open chain; there is one such event for an image, and
 * later signs are only counted in the log. Stands for QEMU's {@code BLOCK_IMAGE_CORRUPTED}.
 *
 * @param imageName file name of the image that is damaged, which may be a backing file
 * @param message what makes no sense, and where; one line
 * @param fatal whether the image was written until now: it is marked corrupt, as far as its format
 *     can be, takes no more writes and wants a repair. False for an image that is only read; what
 *     is not damaged of it can still be
 */
public record ImageCorrupted(String imageName, String message, boolean fatal) {}
