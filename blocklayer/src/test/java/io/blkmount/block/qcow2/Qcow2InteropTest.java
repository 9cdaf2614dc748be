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
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images that qemu-img filled are read and written here, and read and written there again. */
final class Qcow2InteropTest {
  private static final int LENGTH = (6 << 20) + 512;

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512",
        "cluster_size=4k",
        "cluster_size=64k",
        "cluster_size=2M",
        "compat=0.10,cluster_size=4k",
        "cluster_size=64k,refcount_bits=64",
        "compression_type=zstd,cluster_size=64k",
        "compression_type=zstd,cluster_size=4k,refcount_bits=8",
        "extended_l2=on,cluster_size=16k",
        "extended_l2=on,compression_type=zstd,cluster_size=128k",
      })
  void compressedClustersAreReadAndRewritten(String options) throws IOException {
    Path raw = folder.resolve("source.raw");
    Images.store(compressible(), raw);
    Path file = folder.resolve("image.qcow2");
    QemuImg.img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, file);

    workAndCompare(file, options);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=4k,preallocation=metadata",
        "cluster_size=64k,preallocation=falloc",
        "cluster_size=2M,preallocation=full",
        "cluster_size=512,refcount_bits=1",
        "cluster_size=64k,refcount_bits=2",
        "compat=0.10,cluster_size=512",
        "compat=0.10,cluster_size=64k,preallocation=metadata",
        "extended_l2=on,cluster_size=16k",
        "extended_l2=on,cluster_size=128k,refcount_bits=1",
        "extended_l2=on,cluster_size=64k,preallocation=metadata",
        "extended_l2=on,cluster_size=2M,preallocation=falloc",
      })
  void writtenImagesAreWrittenOn(String options) throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", options);
    QemuImg.io(
        file,
        "write -P 1 0 1M",
        "write -z 256k 128k",
        "write -z -u 512k 64k",
        "discard 700k 200k",
        "write -P 2 3000k 5000",
        "write -P 3 6M 512");

    workAndCompare(file, options);
  }

  /** Two rounds: we write, qemu-img checks and compares, qemu-io writes. */
  private void workAndCompare(Path file, String options) throws IOException {
    SplittableRandom random = new SplittableRandom(options.hashCode());
    for (int round = 0; round < 2; round++) {
      ModelRun run =
          new ModelRun(options, Images.load(file), null, TestImage.Options.DEFAULT, random)
              .withCompressedWrites();
      PagedBytes image = run.run(120).finish();
      Images.store(image, file);
      Path expected = folder.resolve("expected.raw");
      Images.store(run.expected(), expected);
      QemuImg.requireClean(file, run);
      QemuImg.requireSame(file, expected, run);
      QemuImg.io(file, run.commandsInside());
    }
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
        "cluster_size=512",
        "cluster_size=64k",
        "compat=0.10,cluster_size=4k",
        "extended_l2=on,cluster_size=128k",
      })
  void overlayOfAnotherImageIsReadByQemuImg(String options) throws IOException {
    SplittableRandom random = new SplittableRandom(options.hashCode());
    PagedBytes base = ModelStart.backing((2 << 20) + 77, random);
    Images.store(base, folder.resolve("base.raw"));
    Path file = folder.resolve("overlay.qcow2");
    QemuImg.img(
        "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "-o", options, file, LENGTH);

    ModelRun run =
        new ModelRun(options, Images.load(file), base, TestImage.Options.DEFAULT, random);
    PagedBytes image = run.run(200).finish();

    Images.store(image, file);
    Path raw = folder.resolve("flat.raw");
    QemuImg.requireClean(file, run);
    QemuImg.toRaw(file, raw);
    int length = (int) run.expected().length();
    assertThat(Images.load(raw).bytes(0, length)).isEqualTo(run.expected().bytes(0, length));
  }
}
