// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.interop;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** qemu-img takes and refuses the same values of the driver's options as we do. */
final class DriverOptionsInteropTest {
  @TempDir Path folder;
  private Path image;

  @BeforeEach
  void createImage() throws IOException {
    image = folder.resolve("disk.qcow2");
    BlockLayer.create(image.toString(), "qcow2", CreateOptions.ofLength(1 << 20));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cache-size=1M",
        "cache-size=1",
        "cache-size=1M,l2-cache-size=1M",
        "cache-size=1M,l2-cache-size=1M,refcount-cache-size=1M",
        "cache-size=1M,l2-cache-size=2M",
        "cache-size=1M,refcount-cache-size=2M",
        "l2-cache-size=64M,refcount-cache-size=64M",
        "l2-cache-size=1",
        "l2-cache-size=-1",
        "refcount-cache-size=1",
        "l2-cache-entry-size=256",
        "l2-cache-entry-size=512",
        "l2-cache-entry-size=1000",
        "l2-cache-entry-size=64k",
        "l2-cache-entry-size=128k",
        "l2-cache-entry-size=0",
        "cache-clean-interval=0",
        "cache-clean-interval=4294967295",
        "cache-clean-interval=4294967296",
        "pass-discard-request=on,pass-discard-snapshot=off,pass-discard-other=on",
        "pass-discard-request=maybe",
        "pass-discard-snapshot=1",
        "pass-discard-other=",
        "overlap-check=none",
        "overlap-check=constant",
        "overlap-check=cached",
        "overlap-check=all",
        "overlap-check=some",
        "overlap-check.template=all,overlap-check.inactive-l2=off",
        "overlap-check.template=some",
        "overlap-check.main-header=off,overlap-check.bitmap-directory=on",
        "overlap-check.active-l1=maybe",
        "overlap-check.unheard-of=on",
        "lazy-refcounts=on",
        "unheard-of=on"
      })
  void theSameValuesAreTaken(String options) {
    QemuImg.Result theirs =
        QemuImg.run(
            List.of(
                "qemu-img",
                "info",
                "--image-opts",
                "driver=qcow2,file.filename=" + image + "," + options));

    assertThat(isTaken(options)).as(theirs.output()).isEqualTo(theirs.exitCode() == 0);
  }

  private boolean isTaken(String options) {
    Map<String, String> values = new TreeMap<>();
    values.put("driver", "qcow2");
    values.put("file.filename", image.toString());
    for (String option : options.split(",")) {
      int equals = option.indexOf('=');
      values.put(option.substring(0, equals), option.substring(equals + 1));
    }
    try {
      BlockLayer.open(OpenOptions.ofImageOptions(values).withReadOnly(true)).close();
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
