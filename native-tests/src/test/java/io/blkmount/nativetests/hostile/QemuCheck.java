// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.hostile;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What {@code qemu-img check} counts. */
final class QemuCheck {
  private static final Pattern CORRUPTIONS = Pattern.compile("\"corruptions\": (\\d+)");
  private static final int PATIENCE_SECONDS = 60;

  private QemuCheck() {}

  /**
   * Returns how many corruptions it counts, -1 if it does not come to that. Without the backing
   * file, since of a chain that goes round in a circle it finds no end.
   */
  static long corruptions(Path image) throws IOException {
    String alone =
        "json:{'driver':'qcow2','backing':null,'file':{'driver':'file','filename':'%s'}}";
    Process process =
        new ProcessBuilder(
                "timeout", "10", "qemu-img", "check", "-U", "--output=json", alone.formatted(image))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    end(process);
    Matcher matcher = CORRUPTIONS.matcher(said);
    return !said.contains("\"filename\"")
        ? -1
        : matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
  }

  private static void end(Process process) throws IOException {
    try {
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
