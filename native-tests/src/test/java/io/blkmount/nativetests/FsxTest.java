// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Random operations through the mount. {@code -Dblkmount.fsx.operations=N} asks for more of them in
 * each case, {@code -Dblkmount.fsx.seed=N} for others.
 */
@OverBothTransports
final class FsxTest {
  private static final int OPERATIONS = Integer.getInteger("blkmount.fsx.operations", 9_000);
  private static final long SEED = Long.getLong("blkmount.fsx.seed", 1);

  private static final int LENGTH = 3 << 20;
  private static final long MAXIMUM = 4 << 20;

  @RegisterExtension final Workbench bench;

  FsxTest(String transport) {
    bench = Workbench.inMemory(transport);
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({
    "raw, --passthrough=off", // the kernel itself would let the file grow
    "raw, --resizable",
    "raw, --detect-zeroes=unmap --discard=unmap",
    "qcow2, ''",
    "qcow2, --resizable",
    "qcow2, --discard=unmap",
    "subclusters, --discard=unmap",
    "small, --detect-zeroes=unmap --discard=unmap",
    "version2, ''",
    "chain, ''",
    "chain, --resizable",
    "chain, --copy-on-read",
    "chain, --discard=unmap --detect-zeroes=unmap",
  })
  void agreesWithAPlainFile(String shape, String options) throws IOException {
    Path model = bench.path("model");
    Files.write(model, new byte[0]);
    Path image = image(shape, model);
    Fsx fsx = new Fsx(model, MAXIMUM, granularity(shape, options));

    for (int mount = 0; mount < 2; mount++) {
      MountedImage mounted = mount(image, shape, options);
      fsx.run(mounted.disk(), SEED + mount, OPERATIONS / 2);
      mounted.unmount();
    }

    requireSound(image, model, shape + " " + options + " seed " + SEED);
  }

  /** A qcow2 image counts its length in sectors. */
  private static int granularity(String shape, String options) {
    if (!options.equals("--resizable")) {
      return 0;
    }
    return shape.equals("raw") ? 1 : 512;
  }

  private MountedImage mount(Path image, String shape, String options) throws IOException {
    String format = "--format=" + (shape.equals("raw") ? "raw" : "qcow2");
    List<Object> arguments = new ArrayList<>(List.of(format));
    arguments.addAll(options.isEmpty() ? List.of() : List.of(options.split(" ")));
    arguments.add(image);
    return bench.mount(arguments.toArray());
  }

  /** Makes the image and, in {@code model}, what it shows. */
  private Path image(String shape, Path model) throws IOException {
    switch (shape) {
      case "raw":
        Files.write(model, Contents.random(LENGTH, SEED));
        return Files.copy(model, bench.path("disk.raw"));
      case "chain":
        return chain(model);
      default:
        Shell.run("truncate", "-s", LENGTH, model).requireSuccess();
        return bench.qcow2("disk.qcow2", "" + LENGTH, "-o", options(shape));
    }
  }

  private static String options(String shape) {
    return switch (shape) {
      case "small" -> "cluster_size=512,refcount_bits=1";
      case "subclusters" -> "cluster_size=16k,extended_l2=on";
      case "version2" -> "compat=0.10,cluster_size=4k";
      default -> "cluster_size=64k";
    };
  }

  /** Three deep, each layer with something of its own, the lower ones shorter than the top. */
  private Path chain(Path model) throws IOException {
    bench.randomFile("base.raw", LENGTH / 2 + 512, SEED);
    bench.overlay("middle.qcow2", "base.raw", "raw", "-o", "cluster_size=4k");
    QemuImg.img("resize", "-q", bench.path("middle.qcow2"), LENGTH - 4096);
    QemuImg.io(bench.path("middle.qcow2"), "write -P 77 100k 300k", "write -z 700k 200k");
    Path top = bench.overlay("top.qcow2", "middle.qcow2", "qcow2", "-o", "cluster_size=32k");
    QemuImg.img("resize", "-q", top, LENGTH);
    QemuImg.io(top, "write -P 78 350k 200k");
    QemuImg.toRaw(top, model);
    return top;
  }

  private static void requireSound(Path image, Path model, String context) {
    if (image.toString().endsWith(".raw")) {
      Contents.requireSame(model, image);
      return;
    }
    QemuImg.requireClean(image, context);
    QemuImg.requireSame(image, model, context);
  }
}
