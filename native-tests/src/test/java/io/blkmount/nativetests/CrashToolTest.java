// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/**
 * {@code native-tests/crash}, where the tool that it runs lies beside the checkout. The crash
 * states that every run judges are those of the block layer's own tests.
 */
final class CrashToolTest {
  private static final Path TOOL = Project.root().resolveSibling("shared/crash");
  private static final int OPERATIONS = 150;

  @Test
  @EnabledIf("isThere")
  void noStateOfAMountIsCorruptOrLosesData() {
    Path script = Project.root().resolve("native-tests/crash");

    Shell.Result result = Shell.run(Duration.ofMinutes(2), script, TOOL, OPERATIONS, 1, 400);

    assertThat(result.exitCode()).as(result.toString()).isZero();
    assertThat(result.output()).contains("'corrupt': 0, 'lost': 0, 'foreign': 0");
  }

  static boolean isThere() {
    return Files.isDirectory(TOOL);
  }
}
