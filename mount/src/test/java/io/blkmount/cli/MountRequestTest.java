// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.open.CacheMode;
import io.blkmount.block.open.OpenOptions;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MountRequestTest {
  @Test
  void everyNameIsResolvedAgainstTheCallersDirectory() throws CommandFailure {
    MountRequest request =
        parse("a.qcow2", "/b.img", "file:c.img", "mnt", "--pid-file", "p", "--log-file", "/l");

    assertThat(request.images().stream().map(MountRequest.Image::name))
        .containsExactly("/no/where/a.qcow2", "/b.img", "file:/no/where/c.img");
    assertThat(request.images().stream().flatMap(i -> i.files().stream()))
        .containsExactly("/no/where/a.qcow2", "/b.img", "/no/where/c.img");
    assertThat(request.mountPoint()).isEqualTo("/no/where/mnt");
    assertThat(request.server())
        .isEqualTo(new ServerOptions(false, "/no/where/p", "/l", Level.INFO));
  }

  @Test
  void imageOptionsReplaceTheNameAndTheirFileNamesAreResolved() throws CommandFailure {
    MountRequest request =
        parse("--image-opts", "driver=qcow2,file.filename=a,,b,backing.file.filename=/c", "m");

    assertThat(request.images().get(0).options().imageOptions())
        .isEqualTo(
            Map.of(
                "driver", "qcow2",
                "file.filename", "/no/where/a,b",
                "backing.file.filename", "/c"));
    assertThat(request.images().get(0).name()).isEqualTo("/no/where/a,b");
    assertThat(request.images().get(0).files()).containsExactly("/no/where/a,b", "/c");
  }

  @Test
  void openOptionsCarryEveryChoice() throws CommandFailure {
    OpenOptions options =
        parse(
                "--snapshot --copy-on-read --cache directsync --discard unmap",
                "--detect-zeroes unmap --resizable -f raw a m")
            .images()
            .get(0)
            .options();

    assertThat(options)
        .isEqualTo(
            OpenOptions.of("/no/where/a")
                .withFormat("raw")
                .withSnapshot(true)
                .withCopyOnRead(true)
                .withCache(CacheMode.DIRECTSYNC)
                .withDiscard(DiscardMode.UNMAP)
                .withDetectZeroes(DetectZeroesMode.UNMAP)
                .withResizable(true));
  }

  @Test
  void internalSnapshotIsAnOptionOfTheImage() throws CommandFailure {
    MountRequest request = parse("--internal-snapshot", "day1", "--snapshot", "a", "m");

    assertThat(request.readOnly()).isFalse();
    assertThat(request.images().get(0).options())
        .isEqualTo(
            OpenOptions.of("/no/where/a")
                .withImageOption("internal-snapshot", "day1")
                .withSnapshot(true));
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({"-r a m", "-U a m", "'-o ro a m'", "'-o rw,ro a m'", "--internal-snapshot 1 a m"})
  void readOnlyHoldsForTheImageAndTheMount(String line) throws CommandFailure {
    MountRequest request = parse(line);

    assertThat(request.readOnly()).isTrue();
    assertThat(request.images().get(0).options().readOnly()).isTrue();
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "a                      | an image and a mount point are needed",
        "--cache fast a m       | --cache fast: not one of writeback, none, writethrough,",
        "--discard on a m       | --discard on: not one of ignore, unmap",
        "--detect-zeroes 1 a m  | --detect-zeroes 1: not one of off, on, unmap",
        "--threads 0 a m        | --threads 0: not a number from 1 to 1024",
        "--threads two a m      | --threads two: not a number from 1 to 1024",
        "--spin -1 a m          | --spin -1: not a number from 0 to 10000",
        "--fuse libfuse a m     | --fuse libfuse: not one of auto, channel, jnr-fuse",
        "--passthrough yes a m  | --passthrough yes: not one of auto, on, off",
        "--image-opts -f raw a=b m | --format and --image-opts exclude each other",
        "--image-opts a m       | \"a\" is not of the form key=value",
        "-r --copy-on-read a m  | --copy-on-read writes to the image",
        "-r --compress a m      | --compress writes to the image",
        "-r --resizable a m     | --resizable writes to the image",
      })
  void contradictionsAreUsageErrors(String line, String message) {
    CommandFailure failure = catchThrowableOfType(CommandFailure.class, () -> parse(line));

    assertThat(failure.exitCode()).isEqualTo(2);
    assertThat(failure.getMessage()).contains(message);
  }

  private static MountRequest parse(String... lines) throws CommandFailure {
    List<String> words = List.of(String.join(" ", lines).split(" "));
    return MountRequest.of(CommandLineParser.parse(words), new WorkingDirectory("/no/where"));
  }
}
