// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/** Finding where guest bytes are stored, with every L2 table in the cache. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "-XX:+UseSerialGC")
@State(Scope.Benchmark)
public class L2LookupBenchmark {
  /** 64 L2 tables of 8 slices each. */
  private static final long DISK_LENGTH = 32L << 30;

  private static final int COUNT = 4 << 10;
  private static final int CLUSTER = 64 << 10;

  private ClusterLookup lookup;
  private OverlapGuard guard;

  /** A thread's own row of offsets. */
  @State(Scope.Thread)
  public static class Offsets {
    private final SplittableRandom random = new SplittableRandom();

    private long next() {
      return (long) random.nextInt((int) (DISK_LENGTH / COUNT)) * COUNT;
    }
  }

  /** Makes an image whose clusters are all allocated, and reads every table once. */
  @Setup
  public void open() throws IOException {
    MemoryChild file = new MemoryChild(MemoryInstance.ofLength(0));
    Qcow2Driver driver = new Qcow2Driver();
    driver.create(file, CreateOptions.ofLength(DISK_LENGTH));
    Qcow2Image image =
        (Qcow2Image) driver.open(new DriverOptions("disk", true, Map.of()), file.opener());
    image.reserve(0, DISK_LENGTH);
    lookup = image.parts().lookup();
    guard = image.metadata().guard();
    for (long offset = 0; offset < DISK_LENGTH; offset += CLUSTER) {
      lookup.find(offset, COUNT);
    }
  }

  /** Looks up what 4 KiB need. */
  @Benchmark
  public Object find(Offsets offsets) throws IOException {
    return lookup.find(offsets.next(), COUNT);
  }

  /** Looks up what 4 KiB need, on each of two threads. */
  @Benchmark
  @Threads(2)
  public Object findTwoThreads(Offsets offsets) throws IOException {
    return lookup.find(offsets.next(), COUNT);
  }

  /** Asks whether 4 KiB of guest data would overwrite metadata. */
  @Benchmark
  public void guard(Offsets offsets) throws IOException {
    guard.requireFree("guest data", (2 * DISK_LENGTH + offsets.next()) & -CLUSTER, COUNT);
  }
}
