// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.BlockDriver;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.ProbeInput;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/**
 * The protocol {@code host_device}: a block device of the host. Its length is fixed; opened for
 * writing it is refused while the host uses it. Takes the options of {@link FileDriver}.
 */
public final class HostDeviceDriver implements BlockDriver {
  /** Creates the driver. */
  public HostDeviceDriver() {}

  @Override
  public String name() {
    return "host_device";
  }

  @Override
  public int probe(ProbeInput input) {
    return 0;
  }

  @Override
  public DriverInstance open(DriverOptions options, ChildOpener children) throws IOException {
    HostFileOptions taken = HostFileOptions.take(options);
    FileStatus.Type type = taken.path().status().type();
    HostOpening.requireStorage(taken.path(), type);
    if (type != FileStatus.Type.BLOCK_DEVICE) {
      throw new BlockException(
          BlockError.INVALID,
          "cannot open " + taken.path().quoted() + ": is " + type.text() + ", not a block device");
    }
    return HostOpening.open(taken);
  }
}
