// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.Backed;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.request.PipelineOptions;
import io.blkmount.block.request.RequestPipeline;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.TestKey;
import java.io.Closeable;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An open image as the graph would put it together: a pipeline, the driver, a pipeline, the host
 * file that the test hands in, and a raw backing file in memory.
 */
final class TestImage implements Closeable {
  private final DriverInstance driver;
  private final RequestPipeline pipeline;

  private TestImage(DriverInstance driver, RequestPipeline pipeline) {
    this.driver = driver;
    this.pipeline = pipeline;
  }

  /**
   * How to open an image.
   *
   * @param compress whether every write is compressed
   */
  record Options(DiscardMode discard, boolean compress, Map<String, String> values) {
    /** Discards give space back; the driver's defaults. */
    static final Options DEFAULT = new Options(DiscardMode.UNMAP, false, Map.of());

    /** The smallest caches that there are, so that slices come and go. */
    static final Options SMALL_CACHES =
        new Options(
            DiscardMode.UNMAP,
            false,
            Map.of("l2-cache-size", "4096", "refcount-cache-size", "4096"));

    /**
     * Returns these, or with what changes no byte of the disk: L2 tables are cached in the smallest
     * pieces and requests leave their bytes in free clusters, or in the largest and snapshots do.
     */
    Options withUnusual(int clusterSize, long seed) {
      int clusterBits = Integer.numberOfTrailingZeros(clusterSize);
      return switch ((int) ((seed + clusterBits) % 3)) {
        case 1 -> with("l2-cache-entry-size", "512").with("pass-discard-request", "off");
        case 2 ->
            with("l2-cache-entry-size", String.valueOf(clusterSize))
                .with("pass-discard-snapshot", "off")
                .with("pass-discard-other", "on");
        default -> this;
      };
    }

    private Options with(String key, String value) {
      Map<String, String> more = new HashMap<>(values);
      more.put(key, value);
      return new Options(discard, compress, more);
    }

    Options withDiscard(DiscardMode mode) {
      return new Options(mode, compress, values);
    }

    Options withCompress(boolean all) {
      return new Options(discard, all, values);
    }
  }

  static TestImage open(DriverInstance host, @Nullable PagedBytes backing) throws IOException {
    return open(host, backing, Options.DEFAULT);
  }

  /** Opens an image over a backing file that the test watches. */
  static TestImage openOver(DriverInstance host, DriverInstance below) throws IOException {
    TestImage image = open(host, null);
    attach(image.driver, image.pipeline, below);
    return image;
  }

  static TestImage open(DriverInstance host, @Nullable PagedBytes backing, Options options)
      throws IOException {
    return open(ImageFiles.over(host, host), true, backing, options);
  }

  /** Opens an image of which each child is what the test hands in. */
  static TestImage open(
      ChildOpener children, boolean writable, @Nullable PagedBytes backing, Options options)
      throws IOException {
    DriverOptions driverOptions =
        new DriverOptions("test.qcow2", writable, options.values(), TestKey.SOURCE)
            .withDiscard(options.discard());
    DriverInstance driver = new Qcow2Driver().open(driverOptions, children);
    PipelineOptions shown =
        writable ? PipelineOptions.writable("image") : PipelineOptions.readOnly("image");
    RequestPipeline pipeline =
        new RequestPipeline(
            driver, shown.withDiscard(options.discard()).withCompress(options.compress()));
    if (backing != null) {
      attach(
          driver,
          pipeline,
          new MemoryInstance(backing.copy(), BlockLimits.NONE, MemoryInstance.FILE));
    }
    return new TestImage(driver, pipeline);
  }

  private static void attach(
      DriverInstance driver, RequestPipeline pipeline, DriverInstance below) {
    RequestPipeline base = new RequestPipeline(below, PipelineOptions.readOnly("base"));
    pipeline.attachBacking(base);
    ((Backed) driver).attachBacking(new PipelineChild(base, "base.raw"));
  }

  BlockIo io() {
    return new PipelineChild(pipeline, "image");
  }

  RequestPipeline pipeline() {
    return pipeline;
  }

  DriverInstance driver() {
    return driver;
  }

  @Override
  public void close() throws IOException {
    driver.close();
  }
}
