// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.hostile;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.qcow2.Qcow2Driver;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** One image: opened, read, checked, opened for writing and written, in this order. */
final class BadImage {
  private final Path file;
  private final Want want;
  private final List<String> faults = new ArrayList<>();

  BadImage(Path file, Want want) {
    this.file = file;
    this.want = want;
  }

  /** Returns the line that tells what came of it; it starts with {@code ok} or {@code WRONG}. */
  String judge() throws IOException {
    Surroundings before = Surroundings.of(file);
    Step open = Step.run("open", () -> disk(true).close());
    Step read = Step.run("read", this::read);
    Step check = Step.run("check", this::check);
    require(before.equals(Surroundings.of(file)), "reading has changed a file");
    long corruptions = QemuCheck.corruptions(file);
    Step openWritable = Step.run("open to write", () -> disk(false).close());
    Step write = Step.run("write", this::write);
    require(
        before.without(file).equals(Surroundings.of(file).without(file)),
        "writing has changed another file");
    if (corruptions >= 0 && want != Want.POLICY) {
      CorruptBit.clear(file);
      long after = QemuCheck.corruptions(file);
      require(after <= corruptions, "corruptions: " + corruptions + ", then " + after);
    }
    List<Step> steps = List.of(open, read, check, openWritable, write);
    steps.stream().map(Step::fault).filter(Objects::nonNull).forEach(faults::add);
    judge(open, read, openWritable, write);
    return line(steps);
  }

  private void judge(Step open, Step read, Step openWritable, Step write) {
    boolean works = !open.failed() && !read.failed() && !openWritable.failed() && !write.failed();
    boolean right =
        switch (want) {
          case REFUSE -> open.failed() && openWritable.failed();
          case RO -> !open.failed() && !read.failed() && openWritable.failed();
          case EIO -> read.failed() || write.failed();
          case OK, SLOWOK -> works;
          case SAFE, POLICY -> true;
        };
    require(right, "not " + want);
    requireNamed(open);
    requireNamed(openWritable);
  }

  private void requireNamed(Step step) {
    boolean named = !step.failed() || step.message().contains(file.getFileName().toString());
    require(named, "the file is not named");
  }

  private void require(boolean holds, String fault) {
    if (!holds) {
      faults.add(fault);
    }
  }

  private String line(List<Step> steps) {
    StringBuilder line = new StringBuilder(faults.isEmpty() ? "ok    " : "WRONG ");
    line.append(String.format("%-26s %-6s", file.getFileName(), want));
    faults.forEach(fault -> line.append("  ** ").append(fault));
    String last = "";
    for (Step step : steps) {
      String shown = step.toString();
      boolean again = step.failed() && step.message().equals(last);
      line.append(" | ").append(again ? shown.replace(last, "the same") : shown);
      last = step.failed() ? step.message() : last;
    }
    return line.toString();
  }

  private BlockBackend disk(boolean readOnly) throws IOException {
    return BlockLayer.open(
        OpenOptions.of(file.toString()).withFormat("qcow2").withReadOnly(readOnly));
  }

  private void read() throws IOException {
    try (BlockBackend disk = disk(true)) {
      new DiskTour(disk).read();
    }
  }

  private void check() throws IOException {
    OpenOptions raw = OpenOptions.of(file.toString()).withFormat("raw").withReadOnly(true);
    try (BlockBackend bytes = BlockLayer.open(raw)) {
      new Qcow2Driver().check(file.toString(), new FileBytes(bytes), finding -> {});
    }
  }

  private void write() throws IOException {
    try (BlockBackend disk = disk(false)) {
      new DiskTour(disk).write();
    }
  }
}
