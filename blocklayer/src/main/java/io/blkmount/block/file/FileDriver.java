// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.BlockDriver;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.ProbeInput;
import java.io.IOException;

/**
 * The protocol {@code file}: a regular file of the host. Given the name of a block device it
 * behaves as {@link HostDeviceDriver}. Takes the options {@code filename}, {@code cache.direct},
 * {@code force-share}, {@code locking} and {@code aio}.
 */
public final class FileDriver implements BlockDriver {
  /** Creates the driver. */
  public FileDriver() {}

  @Override
  public String name() {
    return "file";
  }

  @Override
  public int probe(ProbeInput input) {
    return 0;
  }

  @Override
  public DriverInstance open(DriverOptions options, ChildOpener children) throws IOException {
    return HostOpening.open(HostFileOptions.take(options));
  }
}
