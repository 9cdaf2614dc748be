// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Clusters for what is written before anything points there. If that fails they are given back, and
 * if it succeeds they are guarded. Used by one thread.
 */
final class NewClusters {
  private final Metadata metadata;
  private final ClusterAllocator allocator;
  private final List<Taken> taken = new ArrayList<>();

  private record Taken(HostRun run, OverlapGuard.Area area) {}

  NewClusters(Metadata metadata, ClusterAllocator allocator) {
    this.metadata = metadata;
    this.allocator = allocator;
  }

  /**
   * Takes consecutive clusters.
   *
   * @param clusterCount at least 1
   * @param area what they will hold
   * @return host offset of the first
   * @throws IOException with {@code NO_SPACE} if the image cannot grow
   */
  long take(int clusterCount, OverlapGuard.Area area) throws IOException {
    HostRun run =
        clusterCount == 1
            ? allocator.allocate(1).run()
            : new HostRun(allocator.allocateContiguous(clusterCount), clusterCount);
    taken.add(new Taken(run, area));
    return run.hostOffset();
  }

  /**
   * Gives everything back: nothing on the disk points there.
   *
   * @param failure why; gets what fails here as well
   */
  void giveBack(Throwable failure) {
    for (Taken each : taken) {
      try {
        allocator.giveBack(each.run);
      } catch (IOException e) {
        failure.addSuppressed(e);
      }
    }
    taken.clear();
  }

  /** Guards what they hold from now on. */
  void guard() {
    for (Taken each : taken) {
      long length = (long) each.run.clusterCount() << metadata.geometry().clusterBits();
      metadata.guard().add(each.run.hostOffset(), length, each.area);
    }
  }
}
