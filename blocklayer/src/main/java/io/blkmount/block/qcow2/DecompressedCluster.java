// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.bytes.BouncePool;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A compressed cluster, decompressed from its start as far as somebody has asked: a lone read pays
 * for what lies before it only, and reads in sequence decompress nothing twice.
 *
 * <p>Readers of the same cluster wait for each other, nobody else does.
 */
final class DecompressedCluster implements AutoCloseable {
  private final long entry;
  private final CompressedFile file;
  private final BouncePool.Bounce output;

  @GuardedBy("this")
  private BouncePool.@Nullable Bounce input;

  /** Null before the first read, and when the cluster is complete. */
  @GuardedBy("this")
  private ClusterCodec.@Nullable Stream stream;

  /** How many requests use it, and whether others may find it: both are the owner's. */
  int userCount;

  boolean isKept;

  DecompressedCluster(long entry, CompressedFile file) {
    this.entry = entry;
    this.file = file;
    this.output = BouncePool.take(file.clusterSize());
  }

  /** Returns the L2 entry that says where the cluster lies. */
  long entry() {
    return entry;
  }

  /**
   * Fills {@code target} from the cluster.
   *
   * @param offset in the cluster
   * @throws IOException if the cluster cannot be read, or decompressed that far; the next reader
   *     begins anew
   */
  synchronized void read(int offset, ByteBuffer target) throws IOException {
    int length = target.remaining();
    if (output.buffer().position() < offset + length) {
      decompressTo(offset + length);
    }
    target.put(output.buffer().slice(offset, length));
  }

  @GuardedBy("this")
  private void decompressTo(int end) throws IOException {
    boolean done = false;
    try {
      output.buffer().limit(end);
      file.decompress(entry, openStream(), output.buffer());
      done = true;
    } finally {
      if (!done) {
        output.buffer().clear();
      }
      if (!done || end == file.clusterSize()) {
        closeInput();
      }
    }
  }

  @GuardedBy("this")
  private ClusterCodec.Stream openStream() throws IOException {
    ClusterCodec.Stream open = stream;
    if (open == null) {
      input = file.read(entry);
      open = file.open(input);
      stream = open;
    }
    return open;
  }

  @GuardedBy("this")
  private void closeInput() {
    if (stream != null) {
      stream.close();
      stream = null;
    }
    if (input != null) {
      input.close();
      input = null;
    }
  }

  /** Gives back all memory; nobody uses the cluster any more. */
  @Override
  public synchronized void close() {
    closeInput();
    output.close();
  }
}
