// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Counts in images that QEMU made what {@code qemu-img check} counts there, field by field. */
final class Qcow2CheckTest {
  private static final int LENGTH = (6 << 20) + 512;

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "compat=0.10,cluster_size=512",
        "compat=0.10,cluster_size=64k,preallocation=metadata",
        "cluster_size=512,refcount_bits=1",
        "cluster_size=4k,refcount_bits=2",
        "cluster_size=64k,refcount_bits=4",
        "cluster_size=512,refcount_bits=8",
        "cluster_size=64k,refcount_bits=16",
        "cluster_size=4k,refcount_bits=32",
        "cluster_size=512,refcount_bits=64",
        "cluster_size=2M",
        "cluster_size=64k,preallocation=full",
        "cluster_size=16k,extended_l2=on",
        "cluster_size=64k,extended_l2=on,preallocation=metadata",
        "cluster_size=2M,extended_l2=on,lazy_refcounts=on",
      })
  void plainImages(String options) throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", options);
    assertAgrees(file, options);

    QemuImg.io(file, requests(options));

    assertAgrees(file, options);
  }

  private static String[] requests(String seed) {
    SplittableRandom random = new SplittableRandom(seed.hashCode());
    List<String> requests = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      String verb =
          switch (random.nextInt(8)) {
            case 0 -> "discard ";
            case 1 -> "write -z -u ";
            case 2 -> "write -z ";
            default -> "write -P " + (1 + random.nextInt(255)) + " ";
          };
      int offset = random.nextInt(LENGTH / 512 - 128) * 512;
      requests.add(verb + offset + " " + (1 + random.nextInt(128)) * 512);
    }
    return requests.toArray(String[]::new);
  }

  private static void assertAgrees(Path file, String context) throws IOException {
    CheckRun run = CheckRun.of(Images.load(file));
    assertThat(run.texts()).as(context).isEmpty();
    assertThat(run.counts()).as(context).isEqualTo(CheckRun.qemuCounts(file));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512",
        "compat=0.10,cluster_size=4k",
        "cluster_size=64k,refcount_bits=64",
        "cluster_size=2M",
        "cluster_size=64k,extended_l2=on",
        "compression_type=zstd,cluster_size=4k",
      })
  void compressedClusters(String options) throws IOException {
    Path raw = folder.resolve("disk.raw");
    Images.store(compressible(), raw);
    Path file = folder.resolve("image.qcow2");
    QemuImg.img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, file);
    assertAgrees(file, options);
    assertThat(CheckRun.of(Images.load(file)).result().compressedClusters()).isPositive();

    QemuImg.img("snapshot", "-c", "one", file);
    QemuImg.io(file, "write -P 7 123k 300k", "write -z 2M 512k");

    assertAgrees(file, options);
  }

  /** Returns a disk of which every other 4 KiB compress well, the rest not at all. */
  private static PagedBytes compressible() {
    PagedBytes bytes = new PagedBytes(LENGTH);
    for (int at = 0; at < LENGTH / 2; at += 4096) {
      int noise = at % 8192 == 0 ? 700 : 4096;
      bytes.write(at, ByteBuffer.wrap(DiskModel.pattern(noise, at)));
    }
    return bytes;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512,refcount_bits=2",
        "cluster_size=4k,refcount_bits=4",
        "compat=0.10,cluster_size=64k",
        "cluster_size=64k,refcount_bits=64",
        "cluster_size=16k,extended_l2=on",
      })
  void snapshots(String options) throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", options);
    QemuImg.io(file, requests(options));
    QemuImg.img("snapshot", "-c", "one", file);
    QemuImg.io(file, requests(options + "2"));
    QemuImg.img("snapshot", "-c", "another name, and a longer one", file);
    assertAgrees(file, options);

    QemuImg.img("snapshot", "-d", "one", file);
    QemuImg.io(file, "write -P 3 0 1M");

    assertAgrees(file, options);
  }

  @ParameterizedTest
  @ValueSource(strings = {"cluster_size=512", "cluster_size=64k", "cluster_size=2M"})
  void bitmaps(String options) throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", options);
    QemuImg.img("bitmap", "--add", "-g", "512", file, "first");
    QemuImg.img("bitmap", "--add", file, "second, coarse");
    QemuImg.io(file, requests(options));
    QemuImg.img("bitmap", "--disable", file, "first");
    QemuImg.io(file, "write -P 9 1M 200k");

    assertAgrees(file, options);
  }

  @Test
  void externalDataFile() throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", "data_file=" + folder.resolve("data.raw"));
    QemuImg.io(file, requests("data file"));

    assertAgrees(file, "data file");
  }

  @Test
  void overlay() throws IOException {
    Path base = folder.resolve("base.raw");
    Images.store(new PagedBytes(1 << 20), base);
    Path file = folder.resolve("image.qcow2");
    QemuImg.img("create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", file, LENGTH);
    QemuImg.io(file, requests("overlay"));

    assertAgrees(file, "overlay");
  }

  @Test
  void luks() throws IOException {
    Path file = folder.resolve("image.qcow2");
    String secret = "secret,id=key,data=ocean";
    String options = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10";
    QemuImg.img("create", "-q", "--object", secret, "-f", "qcow2", "-o", options, file, "4M");

    String image = "driver=qcow2,encrypt.key-secret=key,file.filename=" + file;
    String output =
        QemuImg.img("check", "--object", secret, "--image-opts", "--output=json", image);

    CheckRun run = CheckRun.of(Images.load(file));
    assertThat(run.texts()).isEmpty();
    assertThat(run.counts()).isEqualTo(CheckRun.qemuCounts(output));
    assertThat(run.result().imageEndOffset()).isGreaterThan(1 << 20);
  }

  /** The refcounts of an image with lazy ones are wrong after a crash. */
  @Test
  void imageThatWasNotClosed() throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "16M", "lazy_refcounts=on");
    QemuImg.run(
        List.of(
            "qemu-io",
            "-f",
            "qcow2",
            "-c",
            "write 0 1M",
            "-c",
            "flush",
            "-c",
            "sigraise 9",
            file.toString()));

    Map<String, Long> counts = CheckRun.of(Images.load(file)).counts();

    assertThat(counts).isEqualTo(CheckRun.qemuCounts(file));
    assertThat(counts.get("corruptions")).isPositive();
  }
}
