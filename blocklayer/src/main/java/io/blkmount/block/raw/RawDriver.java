// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.raw;

import io.blkmount.block.driver.BlockDriver;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.ProbeInput;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.Locale;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** The {@code raw} format. */
public final class RawDriver implements BlockDriver {
  /** The driver's name. */
  public static final String NAME = "raw";

  private static final String PREALLOCATION = "preallocation";

  /** Creates the driver. */
  public RawDriver() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int probe(ProbeInput input) {
    return 1; // anything may be raw; every other format is surer than that
  }

  @Override
  public DriverInstance open(DriverOptions options, ChildOpener children) throws IOException {
    long offset = options.takeSize("offset", 0);
    long size = options.takeSize("size", RawWindow.TO_THE_END);
    options.requireAllTaken(NAME);
    ChildOpener.Child file = children.open(ChildRole.FILE);
    return new RawImage(file, RawWindow.in(file, offset, size), options.writable());
  }

  @Override
  public void create(ChildOpener.Child file, CreateOptions options) throws IOException {
    Preallocation preallocation = preallocation(options);
    if (options.backing() != null) {
      throw new BlockException(BlockError.NOT_SUPPORTED, "format raw: no room for a backing file");
    }
    if (file.support().growable()) {
      file.truncate(0, Preallocation.OFF);
      file.truncate(options.length(), preallocation);
    } else if (file.length() < options.length()) {
      throw new BlockException(
          BlockError.NO_SPACE,
          "device too small: length=" + file.length() + " needed=" + options.length());
    }
  }

  private static Preallocation preallocation(CreateOptions options) throws BlockException {
    TreeSet<String> unknown = new TreeSet<>(options.values().keySet());
    unknown.remove(PREALLOCATION);
    if (!unknown.isEmpty()) {
      throw new BlockException(
          BlockError.INVALID,
          "format raw does not know the creation option " + String.join(", ", unknown));
    }
    return preallocation(options.values().get(PREALLOCATION));
  }

  private static Preallocation preallocation(@Nullable String value) throws BlockException {
    return switch (value == null ? "off" : value.toLowerCase(Locale.ROOT)) {
      case "off" -> Preallocation.OFF;
      case "falloc" -> Preallocation.FALLOC;
      case "full" -> Preallocation.FULL;
      default ->
          throw new BlockException(
              BlockError.INVALID,
              "option preallocation=" + value + ": format raw knows off, falloc and full");
    };
  }
}
