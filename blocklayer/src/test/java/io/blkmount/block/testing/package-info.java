// SPDX-License-Identifier: Apache-2.0
/**
 * What tests of every module share: drivers in memory that check their callers, fail, record or
 * crash, models to compare with, contracts that every implementation runs, and qemu-img as an
 * oracle. Locks here are leaves: nothing is called while one is held.
 */
@NullMarked
package io.blkmount.block.testing;

import org.jspecify.annotations.NullMarked;
