// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.driver.HostStored;
import io.blkmount.block.driver.Lendable;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.request.RequestPipeline;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The file of a disk in the hands of the kernel, which reads and writes it without this process
 * seeing anything of it. Possible only where nothing is lost by that: the disk is the file, byte
 * for byte, and nobody has to look at its requests.
 */
public final class FileLending {
  private final @Nullable HostStored file;
  private final @Nullable Lendable disk;
  private final List<RequestPipeline> pipelines;
  private final String obstacle;

  @GuardedBy("this")
  private int loans;

  private FileLending(
      @Nullable HostStored file,
      @Nullable Lendable disk,
      List<RequestPipeline> pipelines,
      String obstacle) {
    this.file = file;
    this.disk = disk;
    this.pipelines = pipelines;
    this.obstacle = obstacle;
  }

  /**
   * Returns the lending of a file.
   *
   * @param image the node whose disk is the file
   * @param file the node of the host file
   */
  public static FileLending of(BlockNode image, BlockNode file) {
    if (!(file.instance() instanceof HostStored stored)
        || !(image.instance() instanceof Lendable disk)) {
      throw new IllegalArgumentException("not a disk that is a host file: " + image + ", " + file);
    }
    return new FileLending(stored, disk, List.of(image.pipeline(), file.pipeline()), "");
  }

  /**
   * Returns what lends nothing.
   *
   * @param obstacle why not, such as {@code its format is qcow2}
   */
  public static FileLending none(String obstacle) {
    return new FileLending(null, null, List.of(), obstacle);
  }

  /** A file in the hands of the kernel; closed when the kernel has given it back. */
  public final class Loan implements AutoCloseable {
    private final int descriptor;
    private boolean returned;

    private Loan(int descriptor) {
      this.descriptor = descriptor;
    }

    /** Returns the open descriptor of the file, which stays the disk's. */
    public int descriptor() {
      return descriptor;
    }

    @Override
    public void close() {
      synchronized (FileLending.this) {
        loans -= returned ? 0 : 1;
        returned = true;
      }
    }
  }

  synchronized Loan lend() throws IOException {
    if (file == null || disk == null) {
      throw new BlockException(BlockError.NOT_SUPPORTED, obstacle);
    }
    disk.prepareLending();
    // From now on bytes change that no pipeline has counted.
    pipelines.forEach(RequestPipeline::flushAlways);
    Loan loan = new Loan(file.lend());
    loans++;
    return loan;
  }

  /**
   * Makes a part of the disk what the kernel has added at the end of the file.
   *
   * @throws IOException if the disk cannot be that long
   */
  void followFile() throws IOException {
    if (file != null && disk != null && file.isLent()) {
      disk.followFile();
    }
  }

  synchronized boolean isLent() {
    return loans > 0;
  }

  /** Returns when the file last changed by whomever, in nanoseconds since 1970; 0 if never lent. */
  long modifiedNanos() throws IOException {
    return file != null && file.isLent() ? file.modifiedNanos() : 0;
  }
}
