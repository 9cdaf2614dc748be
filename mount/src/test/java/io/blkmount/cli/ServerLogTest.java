// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ServerLogTest {
  private static final System.Logger LOGGER = System.getLogger("test");

  private final ByteArrayOutputStream written = new ByteArrayOutputStream();

  @AfterEach
  void silence() {
    ServerLog.close();
  }

  @Test
  void aMessageIsOneLineWithTimeAndLevel() {
    open(Level.INFO);

    LOGGER.log(Level.INFO, "mounted {0} on {1}", "a\nb.qcow2", "/mnt");

    assertThat(text()).matches("2025-\\S+T\\S+ INFO mounted a\\\\x0ab.qcow2 on /mnt\n");
  }

  @Test
  void whatIsSaidDuringTheStartWaitsForItsEndUnlessItIsAWarning() {
    ServerLog.open(new StreamLog(written, InstantSource.fixed(Instant.EPOCH)), Level.INFO);

    LOGGER.log(Level.INFO, "one");
    assertThat(text()).isEmpty();
    LOGGER.log(Level.WARNING, "two");
    assertThat(text().lines()).hasSize(2);
    LOGGER.log(Level.INFO, "three");

    assertThat(text().lines().map(line -> line.substring(line.lastIndexOf(' ') + 1)))
        .containsExactly("one", "two", "three");
  }

  @Test
  void whatIsLessImportantThanAskedForIsLeftOut() {
    open(Level.INFO);

    LOGGER.log(Level.DEBUG, "detail");

    assertThat(text()).isEmpty();
    assertThat(LOGGER.isLoggable(Level.DEBUG)).isFalse();
  }

  @Test
  void aFailureOfTheWorldIsItsMessageAndABugItsTrace() {
    open(Level.INFO);

    LOGGER.log(Level.ERROR, "flush", new IOException("no space left"));
    LOGGER.log(Level.ERROR, "bug", new IllegalStateException("x"));

    assertThat(text().lines().toList()).hasSize(2);
    assertThat(text().lines().toList().get(0)).endsWith(" ERROR flush: no space left");
    assertThat(text().lines().toList().get(1))
        .contains(" ERROR bug: java.lang.IllegalStateException: x |at io.blkmount.cli.");
  }

  @Test
  void syslogGetsThePriorityInFrontAndEveryLineBeforeTheEnd(@TempDir Path folder)
      throws IOException {
    Path log = folder.resolve("log");
    ServerLog.open(
        new SyslogPipe(List.of("sh", "-c", "cat > \"$1\"", "sh", log.toString())), Level.INFO);

    LOGGER.log(Level.ERROR, "one");
    LOGGER.log(Level.INFO, "two");
    ServerLog.close();

    assertThat(Files.readAllLines(log)).containsExactly("<27>one", "<30>two");
  }

  @Test
  void aMissingSyslogStopsNobody() {
    ServerLog.open(new SyslogPipe(List.of("/no/such/logger")), Level.INFO);

    LOGGER.log(Level.ERROR, "unheard");

    assertThat(LOGGER.isLoggable(Level.ERROR)).isTrue();
  }

  private void open(Level least) {
    ServerLog.open(
        new StreamLog(written, InstantSource.fixed(Instant.parse("2025-02-03T04:05:06Z"))), least);
    ServerLog.startIsOver();
  }

  private String text() {
    return written.toString(StandardCharsets.UTF_8);
  }
}
