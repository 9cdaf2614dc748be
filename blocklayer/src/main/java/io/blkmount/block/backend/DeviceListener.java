// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

/**
 * What a program wants to be told of an open disk. A call comes on the thread of the request that
 * brought the event about, which waits for it and holds what requests hold: return soon, and do not
 * use the disk from there.
 */
@FunctionalInterface
public interface DeviceListener {
  /**
   * Called once for an image, at the first sign that it is damaged; the request fails after it.
   *
   * @param event which image, and why
   */
  void imageCorrupted(ImageCorrupted event);
}
