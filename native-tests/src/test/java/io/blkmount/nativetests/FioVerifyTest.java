// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Many requests in flight, each block checked by fio. */
@OverBothTransports
final class FioVerifyTest {
  @RegisterExtension final Workbench bench;

  FioVerifyTest(String transport) {
    bench = Workbench.inMemory(transport);
  }

  @ParameterizedTest(name = "{0}, depth {1}, blocks of {2}")
  @CsvSource({
    "raw, 1, 4k",
    "raw, 8, 4k-64k",
    "raw, 32, 512-128k",
    "qcow2, 1, 4k",
    "qcow2, 4, 512-16k",
    "qcow2, 16, 4k-256k",
    "qcow2, 32, 512-128k",
    "small, 32, 512-16k",
    "subclusters, 32, 512-64k",
    "overlay, 32, 512-64k"
  })
  void directRandomWritesVerify(String shape, int depth, String blocks) throws IOException {
    Path image = image(shape);
    MountedImage mount = bench.mount("-f", format(shape), image);

    fio(
        mount.disk(),
        "--ioengine=libaio",
        "--direct=1",
        "--iodepth=" + depth,
        "--bsrange=" + range(blocks),
        "--blockalign=512");

    mount.unmount();
    requireClean(image);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({"raw", "qcow2", "subclusters", "overlay"})
  void writesAtAnyAlignmentVerify(String shape) throws IOException {
    Path image = image(shape);
    MountedImage mount = bench.mount("-f", format(shape), image);

    fio(
        mount.disk(),
        "--ioengine=psync",
        "--numjobs=1",
        "--bsrange=1001-50000",
        "--bs_unaligned=1",
        "--io_size=12m");

    mount.unmount();
    requireClean(image);
  }

  /** Each process has a quarter of the disk; in qcow2 they allocate from one and the same pool. */
  @ParameterizedTest(name = "{0}")
  @CsvSource({"raw", "qcow2", "small", "overlay"})
  void whatFourProcessesWroteAtOnceVerifiesAfterwards(String shape) throws IOException {
    String[] options = {
      "--ioengine=libaio",
      "--direct=1",
      "--iodepth=8",
      "--bsrange=512-64k",
      "--blockalign=512",
      "--numjobs=4",
      "--size=4m",
      "--offset_increment=4m",
    };
    Path image = image(shape);
    MountedImage writing = bench.mount("-f", format(shape), image);

    fio(writing.disk(), with(options, "--do_verify=0"));
    writing.unmount();

    requireClean(image);
    MountedImage reading = bench.mount("-f", format(shape), image);
    fio(reading.disk(), with(options, "--verify_only=1"));
  }

  private static String[] with(String[] options, String last) {
    String[] all = Arrays.copyOf(options, options.length + 1);
    all[options.length] = last;
    return all;
  }

  private static void fio(Path disk, String... options) {
    List<Object> command =
        new ArrayList<>(
            List.of(
                "fio",
                "--name=verify",
                "--filename=" + disk,
                "--rw=randwrite",
                "--size=16m",
                "--verify=crc32c",
                "--verify_fatal=1",
                "--verify_state_save=0",
                "--do_verify=1",
                "--verify_backlog=256",
                "--randseed=1",
                "--allow_file_create=0",
                "--serialize_overlap=1")); // of writes at once to one place either may be the last
    command.addAll(Arrays.asList(options));
    Shell.run(command.toArray()).requireSuccess();
  }

  private static String range(String blocks) {
    return blocks.contains("-") ? blocks : blocks + "-" + blocks;
  }

  private Path image(String shape) throws IOException {
    switch (shape) {
      case "raw":
        Shell.run("truncate", "-s", "16M", bench.path("disk.img")).requireSuccess();
        return bench.path("disk.img");
      case "small":
        return bench.qcow2("disk.qcow2", "16M", "-o", "cluster_size=512");
      case "subclusters":
        return bench.qcow2("disk.qcow2", "16M", "-o", "cluster_size=64k,extended_l2=on");
      case "overlay":
        bench.randomFile("base.raw", 10 << 20, 1);
        Path top = bench.overlay("disk.qcow2", "base.raw", "raw");
        QemuImg.img("resize", "-q", top, "16M");
        return top;
      default:
        return bench.qcow2("disk.qcow2", "16M");
    }
  }

  private static String format(String shape) {
    return shape.equals("raw") ? "raw" : "qcow2";
  }

  private static void requireClean(Path image) {
    if (image.toString().endsWith(".qcow2")) {
      QemuImg.requireClean(image, "after fio");
    }
  }
}
