// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/** A format or protocol: knows its images by their first bytes, opens and creates them. */
public interface BlockDriver {
  /** Returns QEMU's name for the driver, such as {@code qcow2}. */
  String name();

  /**
   * Returns how sure the driver is that an image is its own.
   *
   * @param input the start of the image
   * @return 0 for no, 100 for certain; raw says 1 to everything
   */
  int probe(ProbeInput input);

  /**
   * Opens an image.
   *
   * @param options what with; the driver takes all of its own
   * @param children opens what the image is stored in
   * @throws IOException if the image is not this driver's, damaged, or the host refuses
   */
  DriverInstance open(DriverOptions options, ChildOpener children) throws IOException;

  /**
   * Writes an empty image into a file that is already open and empty (or a device).
   *
   * @param file where to
   * @param options the shape of the image
   * @throws IOException with {@code NOT_SUPPORTED} if the driver cannot create images
   */
  default void create(ChildOpener.Child file, CreateOptions options) throws IOException {
    throw new BlockException(
        BlockError.NOT_SUPPORTED, "format " + name() + ": images cannot be created");
  }

  /**
   * Does {@link #create(ChildOpener.Child, CreateOptions)} for an image that may want more files.
   *
   * @param file where to
   * @param options the shape of the image
   * @param children makes and opens the files that the options name
   * @throws IOException as above
   */
  default void create(ChildOpener.Child file, CreateOptions options, ChildOpener children)
      throws IOException {
    create(file, options);
  }
}
