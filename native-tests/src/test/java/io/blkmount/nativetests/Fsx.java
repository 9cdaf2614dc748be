// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Random operations on a file against a plain array: reads and writes at any alignment, direct and
 * mapped ones, fallocate, fsync, reopen, truncate. A program in C does them, so that each is the
 * system call it is meant to be.
 */
final class Fsx {
  private static final Path PROGRAM = compile();
  private static final Duration TIMEOUT = Duration.ofMinutes(3);

  private final Path model;
  private final long maximum;
  private final long granularity;

  /**
   * Prepares runs against one model.
   *
   * @param model a plain file that holds what the disk holds; each run brings it up to date
   * @param maximum in bytes, how far a resizable disk may grow
   * @param granularity in bytes, what the length of a resizable disk is rounded up to; 0 for a disk
   *     of fixed length
   */
  Fsx(Path model, long maximum, long granularity) {
    this.model = model;
    this.maximum = maximum;
    this.granularity = granularity;
  }

  /** Runs, and fails with the seed and the last operations at the first difference. */
  void run(Path disk, long seed, int operations) {
    List<Object> command =
        new ArrayList<>(List.of(PROGRAM, disk, model, seed, operations, maximum));
    if (granularity != 0) {
      command.add(granularity);
    }
    Shell.run(TIMEOUT, command.toArray()).requireSuccess();
  }

  private static Path compile() {
    Path source = Project.root().resolve("native-tests/src/test/c/fsx.c");
    Path program = Project.root().resolve("native-tests/target/fsx");
    try {
      Files.createDirectories(program.getParent());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Shell.run("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source).requireSuccess();
    return program;
  }
}
