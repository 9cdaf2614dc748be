// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/**
 * Consecutive host clusters.
 *
 * @param hostOffset where the first begins
 * @param clusterCount how many, at least 1
 */
record HostRun(long hostOffset, int clusterCount) {}
