// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.request.PipelineOptions;
import io.blkmount.block.request.RequestPipeline;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The two files of an image with an external data file.
 *
 * @param file the image
 * @param data what its guest wrote
 */
record ImageFiles(ChildOpener.Child file, ChildOpener.Child data) implements ChildOpener {
  static final String DATA_NAME = "guest.data";

  /** Returns files behind pipelines, as in a graph. */
  static ImageFiles over(DriverInstance file, DriverInstance data) {
    return new ImageFiles(child(file, "test.qcow2"), child(data, DATA_NAME));
  }

  private static ChildOpener.Child child(DriverInstance instance, String name) {
    return new PipelineChild(new RequestPipeline(instance, PipelineOptions.writable(name)), name);
  }

  /**
   * Makes an empty image in two files in memory.
   *
   * @param options as for {@code -o}, without the data file
   */
  static ImageFiles create(MemoryInstance file, MemoryInstance data, long length, String options)
      throws IOException {
    ImageFiles files = new ImageFiles(new MemoryChild(file), new MemoryChild(data));
    Map<String, String> values = new HashMap<>();
    values.put("data_file", DATA_NAME);
    for (String option : options.split(",")) {
      values.put(option.split("=")[0], option.split("=")[1]);
    }
    Qcow2Creator.create(
        files.file(), new CreateOptions(length, null, values, TestKey.SOURCE), files);
    return files;
  }

  DriverInstance openDriver(boolean writable) throws IOException {
    return new Qcow2Driver()
        .open(new DriverOptions("test.qcow2", writable, Map.of(), TestKey.SOURCE), this);
  }

  @Override
  public Child open(ChildRole role) {
    return file;
  }

  @Override
  public Child openData(@Nullable String name) {
    assert DATA_NAME.equals(name) : name;
    return data;
  }
}
