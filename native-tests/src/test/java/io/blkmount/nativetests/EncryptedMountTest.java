// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Encrypted images, with the key in a file or typed. */
final class EncryptedMountTest {
  private static final int LENGTH = 4 << 20;

  @RegisterExtension final Workbench bench = new Workbench();

  private Path image(String format) {
    Path image = bench.path("disk.qcow2");
    String iterations = format.equals("luks") ? ",encrypt.iter-time=10" : "";
    QemuImg.createEncrypted(image, "4M", "encrypt.format=" + format + iterations);
    return image;
  }

  private Path key(String content) throws IOException {
    return Files.writeString(bench.path("key"), content);
  }

  private Shell.Result tryMount(Object... arguments) throws IOException {
    Path mountPoint = Files.createDirectories(bench.path("mnt"));
    Object[] command = new Object[arguments.length + 2];
    command[0] = Project.launcher();
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    command[command.length - 1] = mountPoint;
    return Shell.run(command);
  }

  @ParameterizedTest
  @ValueSource(strings = {"luks", "aes"})
  void whatIsWrittenQemuDecrypts(String format) throws IOException {
    Path image = image(format);
    Path expected = bench.randomFile("expected", LENGTH, 1);
    MountedImage mount = bench.mount("--secret-file", key(TestKey.TEXT), image);

    Shell.run("dd", "if=" + expected, "of=" + mount.disk(), "bs=100001", "conv=notrunc,fsync")
        .requireSuccess();

    Contents.requireSame(expected, mount.disk());
    assertThat(mount.log()).doesNotContain(TestKey.TEXT);
    assertThat(Files.readString(Path.of("/proc/" + mount.pid() + "/cmdline")))
        .doesNotContain(TestKey.TEXT);
    mount.unmount();
    QemuImg.requireClean(image, format);
    QemuImg.requireSame(image, expected, format);
  }

  /** So no disk ever holds it. */
  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {
        "$1 --secret-file <(printf %s \"$2\") $3 --log-file $4 --pid-file $5 $6",
        "printf %s \"$2\" | $1 --secret-file=/dev/stdin $3 --log-file $4 --pid-file $5 $6"
      })
  void theKeyMayComeOverADescriptorThatIsClosedThen(String script) throws IOException {
    Path mountPoint = Files.createDirectory(bench.path("mnt"));
    Path pid = bench.path("pid");

    Shell.bash(
        script,
        Project.launcher(),
        TestKey.TEXT,
        image("luks"),
        bench.path("log"),
        pid,
        mountPoint);

    String pipes = Shell.bash("find /proc/$(cat $1)/fd -lname 'pipe:*'", pid);
    Shell.run(Project.launcher(), "--unmount", mountPoint).requireSuccess();
    assertThat(pipes).isEmpty();
  }

  @Test
  void aMissingKeyIsOneLine() throws IOException {
    Path image = image("luks");

    Shell.Result result = tryMount(image);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errors())
        .isEqualTo(
            "blkmount: image \""
                + image
                + "\" is encrypted (luks) and needs a key (--secret-file FILE)\n");
  }

  @Test
  void aWrongKeyIsOneLineThatDoesNotSayIt() throws IOException {
    Path image = image("luks");

    Shell.Result result = tryMount("--secret-file", key(TestKey.TEXT + "\n"), image);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errors())
        .isEqualTo(
            "blkmount: image \""
                + image
                + "\": wrong key: the passphrase opens none of the 1 active LUKS key slots"
                + " (the newline at the end of the key file is part of the key)\n");
  }

  @Test
  void aKeyFileThatIsNotThereIsOneLine() throws IOException {
    Path image = image("luks");

    Shell.Result result = tryMount("--secret-file", bench.path("nowhere"), image);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errors().lines())
        .hasSize(1)
        .allMatch(line -> line.contains("cannot read the key file \"" + bench.path("nowhere")));
  }

  /** script(1) gives the command a terminal; what is typed comes before it is asked for. */
  @Test
  void theKeyIsAskedForOnTheTerminal() throws IOException {
    Path image = image("luks");
    Path mountPoint = Files.createDirectory(bench.path("mnt"));
    String typed = "printf '%s\\n' \"$2\" | script -qec \"$1\" /dev/null";
    String command = Project.launcher() + " " + image + " " + mountPoint;

    String said = Shell.bash(typed, command, TestKey.TEXT);

    try {
      assertThat(said).contains("Key of \"" + image + "\":");
      assertThat(MountTable.contains(mountPoint)).isTrue();
    } finally {
      Shell.run(Project.launcher(), "--unmount", mountPoint).requireSuccess();
    }
  }

  @Test
  void withoutAnAnswerNothingIsMounted() throws IOException {
    Path image = image("luks");
    Path mountPoint = Files.createDirectory(bench.path("mnt"));
    String typed = "printf 'no\\n' | script -qec \"$1\" /dev/null";

    Shell.Result result = Shell.tryBash(typed, Project.launcher() + " " + image + " " + mountPoint);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.output()).contains("wrong key");
    assertThat(MountTable.contains(mountPoint)).isFalse();
  }
}
