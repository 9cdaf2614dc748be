// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;

/** The ways to the kernel that are there, the fastest first. */
final class Transports {
  private Transports() {}

  /**
   * Returns the transport of a name, or the first that works here.
   *
   * @param name {@link ServingOptions#AUTO} or a transport's name
   * @throws BlockException if there is none
   */
  static Transport choose(String name) throws BlockException {
    List<String> names = new ArrayList<>();
    for (Transport transport :
        ServiceLoader.load(Transport.class, Transport.class.getClassLoader())) {
      if (name.equals(ServingOptions.AUTO)
          ? transport.worksHere()
          : name.equals(transport.name())) {
        return transport;
      }
      names.add(transport.name());
    }
    throw new BlockException(
        BlockError.NOT_SUPPORTED,
        "no way to mount here: asked for " + name + ", there are " + names);
  }
}
