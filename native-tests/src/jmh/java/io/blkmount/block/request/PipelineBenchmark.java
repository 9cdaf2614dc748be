// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/** What a pipeline costs in front of a driver that does nothing. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "-XX:+UseSerialGC")
@State(Scope.Benchmark)
public class PipelineBenchmark {
  private static final int COUNT = 4 << 10;

  private final RequestPipeline pipeline =
      new RequestPipeline(new NothingInstance(1L << 30), PipelineOptions.writable("nothing"));

  /** A thread's own buffer. */
  @State(Scope.Thread)
  public static class Request {
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(COUNT);
  }

  /** Reads 4 KiB. */
  @Benchmark
  public void read(Request request) throws IOException {
    pipeline.read(COUNT, request.buffer.clear());
  }

  /** Writes 4 KiB. */
  @Benchmark
  public void write(Request request) throws IOException {
    pipeline.write(COUNT, request.buffer.clear(), WriteFlags.NONE);
  }

  /** Reads 4 KiB on each of two threads. */
  @Benchmark
  @Threads(2)
  public void readTwoThreads(Request request) throws IOException {
    pipeline.read(COUNT, request.buffer.clear());
  }

  /** Writes 4 KiB on each of two threads. */
  @Benchmark
  @Threads(2)
  public void writeTwoThreads(Request request) throws IOException {
    pipeline.write(COUNT, request.buffer.clear(), WriteFlags.NONE);
  }
}
