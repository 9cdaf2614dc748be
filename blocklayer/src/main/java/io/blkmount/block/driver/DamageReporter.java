// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/** An instance that notices when the metadata of its image makes no sense. */
public interface DamageReporter {
  /**
   * Says who is told of the first sign of damage, and of that one only. Before the first request.
   *
   * @param listener in place of who was to be told before
   */
  void onDamage(DamageListener listener);

  /** Is told of damage. */
  @FunctionalInterface
  interface DamageListener {
    /**
     * Called by the request that met the first sign of damage, when what follows from it for the
     * image has been done.
     *
     * @param message what makes no sense, and where
     * @param fatal whether that has ended writing; false for an image that is only read
     */
    void damaged(String message, boolean fatal);
  }
}
