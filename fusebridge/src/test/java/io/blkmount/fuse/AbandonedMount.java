// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/** A server of its own, for tests that kill it. */
final class AbandonedMount {
  private static final String READY = "mounted";

  private AbandonedMount() {}

  /** Starts a process that mounts an image; returns when the mount answers. */
  static Process start(Path image, Path mountPoint, String transport) throws IOException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String classPath = System.getProperty("java.class.path");
    Process process =
        new ProcessBuilder(
                List.of(
                    java,
                    "-cp",
                    classPath,
                    AbandonedMount.class.getName(),
                    image + "",
                    mountPoint + "",
                    transport))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader output =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    String line = output.readLine();
    if (!READY.equals(line)) {
      process.destroyForcibly();
      throw new IOException("the server does not mount: " + line);
    }
    return process;
  }

  /** Mounts, says so and serves; takes the image, the mount point and the transport. */
  public static void main(String[] names) throws Exception {
    BlockBackend disk = RawDisks.open(Path.of(names[0]));
    MountOptions options = MountedDisk.options(disk, names[2]);
    MountedDisk mounted = MountedDisk.on(Path.of(names[1]), disk, options);
    System.out.println(READY);
    mounted.awaitEnd();
  }
}
