// SPDX-License-Identifier: Apache-2.0
/**
 * LUKS1 headers and their keys, and ciphers for sectors of 512 bytes; no driver and no file.
 *
 * <p>A {@link io.blkmount.block.crypto.LuksKeyArea} turns a passphrase into a master key, with
 * which a {@link io.blkmount.block.crypto.SectorCipher} is made. What is secret lies in {@link
 * io.blkmount.block.crypto.SecretBytes} and is overwritten when they are closed; what ciphers copy
 * inside is replaced by another key as far as they allow.
 *
 * <p>Only a {@code SectorCipher} may be used by several threads.
 */
@NullMarked
package io.blkmount.block.crypto;

import org.jspecify.annotations.NullMarked;
