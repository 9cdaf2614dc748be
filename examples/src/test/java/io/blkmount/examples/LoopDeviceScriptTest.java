// SPDX-License-Identifier: Apache-2.0
package io.blkmount.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Runs the script with the command that the build has just made. */
final class LoopDeviceScriptTest {
  private static final int LIMIT_SECONDS = 120;

  @Test
  @Timeout(LIMIT_SECONDS + 30)
  void scriptFindsWhatItWroteAndLeavesNothingBehind() throws Exception {
    Path root = projectRoot();
    assumeTrue(
        Files.exists(root.resolve("mount/target/blkmount.jar")), "the command is not built here");
    assumeTrue("root".equals(System.getProperty("user.name")), "loop devices need root");
    Path output = Files.createTempFile("loop-device", ".txt");

    Process script =
        new ProcessBuilder(root.resolve("examples/loop-device.sh").toString())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    boolean ended = script.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
    String text = Files.readString(output, StandardCharsets.UTF_8);
    Files.delete(output);

    assertThat(ended).as("the script hangs: %s", text).isTrue();
    assertThat(script.exitValue()).as(text).isZero();
    assertThat(text.lines()).endsWith("written through a loop device", "the image is clean");
  }

  private static Path projectRoot() throws IOException {
    Path folder = Path.of("").toRealPath();
    while (!Files.exists(folder.resolve("examples/loop-device.sh"))) {
      folder = folder.getParent();
    }
    return folder;
  }
}
