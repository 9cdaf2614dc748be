// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What was synced is in the image when the server dies, and sync reaches the disk. */
@OverBothTransports
final class DurabilityTest {
  private static final int LENGTH = 8 << 20;
  private static final Duration ATTACH_TIMEOUT = Duration.ofSeconds(20);

  @RegisterExtension final Workbench bench;

  DurabilityTest(String transport) {
    bench = new Workbench(transport);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"raw", "qcow2"})
  void syncedDataOutlivesAKilledServer(String format) throws IOException {
    Path source = bench.randomFile("source", LENGTH, 1);
    Path image = image(format);
    MountedImage mount = bench.mount("-f", format, image);
    Shell.bash("dd if=$1 of=$2 bs=100k conv=notrunc,fsync status=none", source, mount.disk());

    mount.kill();

    QemuImg.img("compare", "-f", format, "-F", "raw", image, source);
  }

  @Test
  void aServerKilledAmidWritesLeavesNoCorruption() throws IOException {
    Path image = image("qcow2");
    MountedImage mount = bench.mount(image);
    Process writer =
        new ProcessBuilder(
                "fio",
                "--name=w",
                "--rw=randwrite",
                "--bsrange=512-64k",
                "--size=8m",
                "--time_based",
                "--runtime=60",
                "--fsync=50",
                "--output=/dev/null",
                "--filename=" + mount.disk())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      Await.until("data in the image", ATTACH_TIMEOUT, () -> image.toFile().length() > 4 << 20);

      mount.kill();
    } finally {
      writer.descendants().forEach(ProcessHandle::destroyForcibly);
      writer.destroyForcibly();
    }

    assertThat(QemuImg.check(image).corruptions()).isZero();
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({
    "writeback, pwrite 0 4k, fsync, 1",
    "writeback, pwrite 0 4k, fdatasync, 1",
    "none, pwrite 0 4k, fsync, 1",
    "writethrough, pwrite 0 4k, close, 1",
    "unsafe, pwrite 0 4k, fsync, 0"
  })
  void aSyncReachesTheHostAsTheCacheModeSays(
      String cache, String write, String then, int expectedSyncs) throws IOException {
    MountedImage mount = bench.mount("--cache", cache, "-f", "raw", image("raw"));
    Path trace = bench.path("trace");
    Process strace = attachStrace(mount, trace);

    Shell.run("xfs_io", "-c", write, "-c", then.equals("close") ? "stat" : then, mount.disk())
        .requireSuccess();

    long syncs = syncs(strace, trace);
    if (expectedSyncs == 0) {
      assertThat(syncs).isZero();
    } else {
      assertThat(syncs).isGreaterThanOrEqualTo(expectedSyncs);
    }
  }

  /** The kernel asks for a sync after a write that it caches; for one that it does not, we must. */
  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"dsync", "sync", "direct,dsync", "direct,sync"})
  void eachSynchronousWriteReachesTheDisk(String flags) throws IOException {
    MountedImage mount = bench.mount(image("qcow2"));
    Path trace = bench.path("trace");
    Process strace = attachStrace(mount, trace);

    Shell.bash(
        "dd if=/dev/zero of=$1 bs=4k count=10 conv=notrunc oflag=$2 status=none",
        mount.disk(),
        flags);

    assertThat(syncs(strace, trace)).isGreaterThanOrEqualTo(10);
  }

  private static long syncs(Process strace, Path trace) throws IOException {
    strace.destroy(); // it lets go of the server and ends
    Await.until("end of strace", ATTACH_TIMEOUT, () -> !strace.isAlive());
    return Files.readAllLines(trace).stream().filter(line -> line.contains("sync(")).count();
  }

  /** Waits until strace follows the server: its first line on standard error says so. */
  private Process attachStrace(MountedImage mount, Path trace) throws IOException {
    Path said = bench.path("strace.err");
    Process strace =
        new ProcessBuilder(
                "strace",
                "-f",
                "-e",
                "trace=fsync,fdatasync,sync_file_range,syncfs",
                "-o",
                trace.toString(),
                "-p",
                "" + mount.pid())
            .redirectError(said.toFile())
            .start();
    bench.closing(strace::destroyForcibly);
    Await.until("strace attached", ATTACH_TIMEOUT, () -> said.toFile().length() > 0);
    return strace;
  }

  private Path image(String format) {
    Path image = bench.path("disk." + format);
    QemuImg.img("create", "-q", "-f", format, image, LENGTH);
    return image;
  }
}
