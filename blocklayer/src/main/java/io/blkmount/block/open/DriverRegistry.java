// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BlockDriver;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.file.FileDriver;
import io.blkmount.block.file.HostDeviceDriver;
import io.blkmount.block.qcow2.Qcow2Driver;
import io.blkmount.block.raw.RawDriver;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The drivers there are.
 *
 * @param formats those that interpret what a file holds
 * @param protocols those that reach the file
 */
record DriverRegistry(List<BlockDriver> formats, List<BlockDriver> protocols) {
  /** All drivers of this library. */
  static final DriverRegistry STANDARD =
      new DriverRegistry(
          List.of(new Qcow2Driver(), new RawDriver()),
          List.of(new FileDriver(), new HostDeviceDriver()));

  DriverRegistry {
    formats = List.copyOf(formats);
    protocols = List.copyOf(protocols);
  }

  /**
   * Returns a format driver.
   *
   * @throws BlockException that names the ones there are
   */
  BlockDriver format(String name) throws BlockException {
    return require(formats, name, "format");
  }

  /**
   * Returns a protocol driver.
   *
   * @throws BlockException that names the ones there are
   */
  BlockDriver protocol(String name) throws BlockException {
    return require(protocols, name, "protocol");
  }

  boolean isProtocol(String name) {
    return find(protocols, name) != null;
  }

  private static BlockDriver require(List<BlockDriver> drivers, String name, String kind)
      throws BlockException {
    BlockDriver driver = find(drivers, name);
    if (driver == null) {
      String known = drivers.stream().map(BlockDriver::name).collect(Collectors.joining(", "));
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "unknown " + kind + " \"" + HostName.printable(name) + "\": known are " + known);
    }
    return driver;
  }

  private static @Nullable BlockDriver find(List<BlockDriver> drivers, String name) {
    return drivers.stream().filter(driver -> driver.name().equals(name)).findFirst().orElse(null);
  }
}
