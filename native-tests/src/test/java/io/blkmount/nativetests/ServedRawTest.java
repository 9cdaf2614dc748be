// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the kernel does not get for itself, and what is said about it. */
final class ServedRawTest {
  private static final int LENGTH = 4 << 20;

  @RegisterExtension final Workbench bench = new Workbench("channel");

  @BeforeEach
  void needTheChannelAndRoot() {
    assumeTrue(Transports.includeChannel() && isRoot());
  }

  static boolean isRoot() {
    return Shell.run("id", "-u").requireSuccess().equals("0");
  }

  private static List<Object> words(String options, Path image) {
    List<Object> words =
        new ArrayList<>(options.isEmpty() ? List.of() : List.of(options.split(" ")));
    words.replaceAll(word -> word.toString().replace("IMAGE", image.toString()));
    if (!options.contains("IMAGE")) {
      words.add(image);
    }
    return words;
  }

  private MountedImage mount(String passthrough, List<Object> words) throws IOException {
    List<Object> all = new ArrayList<>(List.of("--passthrough=" + passthrough));
    all.addAll(words);
    return bench.mount(all.toArray());
  }

  /** Each byte of the disk goes through the server, there and back. */
  private void requireServed(MountedImage mount) throws IOException {
    long before = mount.bytesMoved();
    Path source = bench.randomFile("source", LENGTH, 2);

    Shell.bash(
        "dd if=$1 of=$2 bs=256k conv=notrunc status=none;"
            + " dd if=$2 bs=256k iflag=direct status=none | cmp - $1",
        source,
        mount.disk());

    assertThat(mount.bytesMoved() - before).isGreaterThanOrEqualTo(2L * LENGTH);
  }

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource({
    "'', its format was probed (-f raw)",
    "-f raw --snapshot, --snapshot",
    "-f raw --cache=none, --cache none",
    "-f raw --cache=writethrough, --cache writethrough",
    "-f raw --cache=directsync, --cache directsync",
    "-f raw --detect-zeroes=on, detect-zeroes",
    "'--image-opts driver=raw,size=4194304,file.filename=IMAGE', a part of its file",
  })
  void whatHasToBeSeenIsServedAndSaidOnOneLine(String options, String why) throws IOException {
    Path image = bench.randomFile("disk.img", LENGTH, 1);
    List<Object> words = words(options, image);

    MountedImage silent = mount("auto", words);
    requireServed(silent);
    assertThat(silent.remarks()).isEmpty();
    silent.unmount();
    MountedImage wanted = mount("on", words);
    requireServed(wanted);

    assertThat(wanted.remarks()).hasSize(1);
    assertThat(wanted.remarks().get(0))
        .startsWith("blkmount: no passthrough of \"" + image + "\": ")
        .contains(why);
  }

  @Test
  void qcow2IsServedAndSaidOnOneLine() throws IOException {
    MountedImage mount = mount("on", List.of(bench.qcow2("disk.qcow2", "4M")));

    requireServed(mount);

    assertThat(mount.remarks()).hasSize(1);
    assertThat(mount.remarks().get(0)).endsWith("its format is qcow2");
  }

  @Test
  void whoeverDoesNotWantItDoesNotGetIt() throws IOException {
    MountedImage mount =
        mount("off", List.of("-f", "raw", bench.randomFile("disk.img", LENGTH, 1)));

    requireServed(mount);

    assertThat(mount.remarks()).isEmpty();
  }

  @Test
  void libfuseHasNoneAndSaysSo() throws IOException {
    Path image = bench.randomFile("disk.img", LENGTH, 1);
    Path mountPoint = Files.createDirectory(bench.path("mnt"));

    Shell.Result result =
        Shell.run(
            Project.launcher(),
            "--fuse=jnr-fuse",
            "--passthrough=on",
            "-f",
            "raw",
            "--log-file",
            bench.path("log"),
            image,
            mountPoint);

    result.requireSuccess();
    assertThat(result.errorLines())
        .containsExactly("blkmount: no passthrough through libfuse 2 (--fuse channel)");
    Contents.requireSame(image, mountPoint.resolve("disk.raw"));
    Shell.run(Project.launcher(), "--unmount", mountPoint).requireSuccess();
  }

  /** The kernel does not stack more than two file systems; what it refuses is served. */
  @ParameterizedTest(name = "--passthrough={0}")
  @ValueSource(strings = {"auto", "on"})
  void aFileThatTheKernelRefusesIsServed(String passthrough) throws IOException {
    Path memory = Files.createDirectory(bench.path("memory"));
    Shell.bash(
        """
        mount -t tmpfs tmpfs $1
        mkdir $1/lower $1/upper $1/work $1/merged
        mount -t overlay -o lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work overlay $1/merged
        """,
        memory);
    Path image = Files.write(memory.resolve("merged/disk.img"), Contents.random(LENGTH, 1));

    MountedImage mount = mount(passthrough, List.of("-f", "raw", image));
    requireServed(mount);

    assertThat(mount.remarks()).hasSize(passthrough.equals("on") ? 1 : 0);
    assertThat(String.join("", mount.remarks()))
        .satisfiesAnyOf(
            line -> assertThat(line).isEmpty(),
            line -> assertThat(line).endsWith("refused by the kernel: LOOP"));
    mount.unmount();
  }

  @Test
  void aFileInMemoryIsNotServedAndOneReadOnlyNeither() throws IOException {
    Path memory = Files.createDirectory(bench.path("memory"));
    Shell.run("mount", "-t", "tmpfs", "tmpfs", memory).requireSuccess();
    Path image = Files.write(memory.resolve("disk.img"), Contents.random(LENGTH, 1));

    for (String access : new String[] {"-r", "--passthrough=on"}) {
      MountedImage mount = bench.mount("-f", "raw", access, image);
      long before = mount.bytesMoved();

      Contents.requireSame(image, mount.disk());

      assertThat(mount.remarks()).isEmpty();
      assertThat(mount.bytesMoved() - before).isLessThan(LENGTH / 4);
      mount.unmount();
    }
  }
}
