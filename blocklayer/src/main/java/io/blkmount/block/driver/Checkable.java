// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.io.IOException;
import java.util.function.Consumer;

/** A driver whose images keep account of themselves, so that the account can be audited. */
public interface Checkable {
  /**
   * Checks an image and changes nothing. Also checks images that {@link BlockDriver#open} refuses
   * for a feature or for damage, as long as their header can be read.
   *
   * @param imageName for messages, as the user gave it
   * @param file what the image is stored in; only read. What somebody else writes to it meanwhile
   *     may look like damage
   * @param findings told of what is wrong as it is found, in no particular order; of a kind that
   *     fills thousands of lines only the first, the result counts them all
   * @throws IOException if the file cannot be read, is no image of this driver, or its header is
   *     damaged
   */
  CheckResult check(String imageName, BlockIo file, Consumer<CheckFinding> findings)
      throws IOException;

  /**
   * Checks an image and puts right what can be. What is not wrong is not written, so that a second
   * repair finds nothing to do; a repair that was cut off goes on where it was when it is done
   * again. No guest data that can be read is lost, and nothing is given back while something is
   * wrong that could make used space look free.
   *
   * @param imageName for messages, as the user gave it
   * @param file what the image is stored in; nobody else uses it
   * @param mode how much is put right
   * @param findings told of what was wrong, as in {@link #check}
   * @return what is still wrong, and how much is not any more
   * @throws IOException as for {@link #check}, or if the file cannot be written
   */
  CheckResult repair(
      String imageName, ChildOpener.Child file, RepairMode mode, Consumer<CheckFinding> findings)
      throws IOException;
}
