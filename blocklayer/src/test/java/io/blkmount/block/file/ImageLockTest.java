// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Who may use an image beside whom: ours against QEMU's, both ways. */
final class ImageLockTest {
  @TempDir Path directory;
  private Path image;

  @BeforeEach
  void createImage() {
    image = directory.resolve("disk.qcow2");
    QemuImg.img("create", "-q", "-f", "qcow2", image, "1M");
  }

  @ParameterizedTest(name = "ours writable {0}: qemu-io {1} works {2}")
  @CsvSource({
    "true, '', false",
    "true, -r, false",
    "true, -U -r, true",
    "false, '', false",
    "false, -r, true",
    "false, -U -r, true"
  })
  void qemuIoRespectsOurLocks(boolean writable, String options, boolean works) throws IOException {
    try (HostFile ours = HostImages.open(image, writable)) {
      assertThat(ours.length()).isPositive();

      List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "qcow2"));
      command.addAll(options.isEmpty() ? List.of() : List.of(options.split(" ")));
      command.addAll(List.of("-c", "length", image.toString()));
      QemuImg.Result result = QemuImg.run(command);

      assertThat(result.exitCode() == 0).as(result.output()).isEqualTo(works);
      if (!works) {
        assertThat(result.output()).contains("lock");
      }
    }
    assertThat(QemuImg.run(List.of("qemu-io", "-f", "qcow2", "-c", "length", image.toString())))
        .extracting(QemuImg.Result::exitCode)
        .isEqualTo(0);
  }

  @ParameterizedTest(name = "ours writable {0}: qemu-img info {1} works {2}")
  @CsvSource({"true, '', false", "true, -U, true", "false, '', true", "false, -U, true"})
  void qemuImgInfoRespectsOurLocks(boolean writable, String option, boolean works)
      throws IOException {
    try (HostFile ours = HostImages.open(image, writable)) {
      assertThat(ours.length()).isPositive();

      List<String> command = new ArrayList<>(List.of("qemu-img", "info"));
      command.addAll(option.isEmpty() ? List.of() : List.of(option));
      command.add(image.toString());
      QemuImg.Result result = QemuImg.run(command);

      assertThat(result.exitCode() == 0).as(result.output()).isEqualTo(works);
    }
  }

  @ParameterizedTest(name = "{0} {1}: ours writable {2} works {3}")
  @CsvSource({
    "qcow2, '', true, false",
    "qcow2, '', false, false",
    "qcow2, -r, true, false",
    "qcow2, -r, false, true",
    "raw, '', false, false"
  })
  void oursRespectsTheLocksOfQemuIo(String format, String option, boolean writable, boolean works)
      throws IOException {
    List<String> command = new ArrayList<>(List.of("qemu-io", "-f", format));
    command.addAll(option.isEmpty() ? List.of() : List.of(option));
    command.add(image.toString());
    try (OtherProcess other = OtherProcess.start(command)) {
      other.say("length");
      if (works) {
        HostImages.open(image, writable).close();
      } else {
        String writing = option.isEmpty() ? " for writing" : "";
        assertThatThrownBy(() -> HostImages.open(image, writable))
            .hasMessage(
                "cannot lock \"disk.qcow2\": in use%s by process %d (qemu-io)",
                writing, other.pid())
            .extracting(failure -> ((BlockException) failure).error())
            .isEqualTo(BlockError.LOCKED);
      }
      HostImages.open(image.toString(), false, Map.of("force-share", "on")).close();
      HostImages.open(image.toString(), writable, Map.of("locking", "off")).close();
    }
    HostImages.open(image, true).close();
  }

  @ParameterizedTest(name = "one writable {0}, another writable {1}: works {2}")
  @CsvSource({"true,true,false", "true,false,false", "false,true,false", "false,false,true"})
  void oursRespectsOurs(boolean first, boolean second, boolean works) throws IOException {
    try (HostFile ours = HostImages.open(image, first)) {
      assertThat(ours.length()).isPositive();
      if (works) {
        HostImages.open(image, second).close();
      } else {
        assertThatThrownBy(() -> HostImages.open(image, second))
            .hasMessage(
                "cannot lock \"disk.qcow2\": in use%s by this process",
                first ? " for writing" : "");
      }
      // What the failed or closed second one did has not taken our locks away.
      assertThatThrownBy(() -> HostImages.open(image, true)).isInstanceOf(BlockException.class);
    }
  }

  @Test
  void fileInUseIsNotEmptied() throws IOException {
    long before = Files.size(image);
    try (HostFile ours = HostImages.open(image, false)) {
      assertThatThrownBy(() -> HostFiles.create(image.toString(), false))
          .isInstanceOf(BlockException.class);
      assertThat(ours.length()).isEqualTo(Files.size(image)).isEqualTo(before);
    }
  }

  @Test
  void locksEndWithAKilledProcess() throws IOException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String classes = System.getProperty("java.class.path");
    List<String> command =
        List.of(java, "-cp", classes, LockingProcess.class.getName(), image.toString());
    try (OtherProcess other = OtherProcess.start(command)) {
      other.say("");
      assertThatThrownBy(() -> HostImages.open(image, true))
          .hasMessageStartingWith(
              "cannot lock \"disk.qcow2\": in use for writing by process " + other.pid());
      other.kill();

      HostImages.open(image, true).close();
    }
  }

  /** Locks an image for writing until it is killed. */
  static final class LockingProcess {
    private LockingProcess() {}

    public static void main(String[] arguments) throws IOException {
      try (HostFile file = HostImages.open(Path.of(arguments[0]), true)) {
        while (System.in.read() >= 0) {
          System.out.println(file.length());
        }
      }
    }
  }
}
