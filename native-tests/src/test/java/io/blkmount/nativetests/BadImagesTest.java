// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/** {@code native-tests/badimages} with the images that it comes with. */
final class BadImagesTest {
  @Test
  @EnabledIf("isRoot")
  void eachOfThemGetsTheRightAnswer() {
    Shell.Result result =
        Shell.run(Duration.ofMinutes(2), Project.root().resolve("native-tests/badimages"));

    assertThat(result.exitCode()).as(result.toString()).isZero();
    assertThat(result.output().lines()).hasSizeGreaterThan(90).allMatch(s -> s.startsWith("ok "));
  }

  /** Others cannot be kept from the files that the images name. */
  static boolean isRoot() {
    return Shell.run("id", "-u").output().strip().equals("0");
  }
}
