// SPDX-License-Identifier: Apache-2.0
/**
 * Host files and block devices, by system calls. {@code PosixFile} alone sees file descriptors.
 *
 * <p>One lock: {@code HostFile.sizeLock}, shared by what writes and exclusive for what changes the
 * length. Nothing is called back while it is held.
 */
@NullMarked
package io.blkmount.block.file;

import org.jspecify.annotations.NullMarked;
