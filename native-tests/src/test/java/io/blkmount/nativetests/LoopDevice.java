// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A loop device, detached when it is closed. */
final class LoopDevice implements AutoCloseable {
  private final Path device;
  private boolean attached = true;

  private LoopDevice(Path device) {
    this.device = device;
  }

  static LoopDevice on(Path file, String... options) {
    List<Object> command = new ArrayList<>(List.of("losetup", "--find", "--show"));
    command.addAll(List.of(options));
    command.add(file);
    return new LoopDevice(Path.of(Shell.run(command.toArray()).requireSuccess()));
  }

  Path device() {
    return device;
  }

  /** Detaches; the kernel may do it later if somebody still has it open. */
  @Override
  public void close() {
    if (attached) {
      attached = false;
      Shell.run("losetup", "--detach", device).requireSuccess();
    }
  }
}
