// SPDX-License-Identifier: Apache-2.0
/**
 * The command {@code blkmount}: reads the command line, opens, mounts, serves until the end, and
 * unmounts what another process serves.
 *
 * <p>One thread does all of it; signal handlers and the watcher of the mount only post events to
 * it.
 */
@NullMarked
package io.blkmount.cli;

import org.jspecify.annotations.NullMarked;
