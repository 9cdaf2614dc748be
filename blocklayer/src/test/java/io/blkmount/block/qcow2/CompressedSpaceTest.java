// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Places of compressed clusters while other threads take and give back some, too. */
final class CompressedSpaceTest {
  private static final int CLUSTER = 512;

  /** Refcounts go up to 3, and one block counts so many clusters. */
  private static final int PER_BLOCK = CLUSTER * 8 / 2;

  /**
   * The tail's cluster can have no more references, and the next free cluster adjoins it. While the
   * refcounts of that are read, another thread fails to write and gives its reference back.
   */
  @Test
  void whatFitsIntoTheTailTakesNoNewClusterAsWell() throws IOException {
    Host host = new Host();
    try (Qcow2Image image = open(host)) {
      Refcounts refcounts = new Refcounts(image.metadata());
      CompressedSpace space = spaceWithTwoFreeClusters(image, refcounts);
      long first = space.allocate(300);
      long second = space.allocate(30);
      long third = space.allocate(30);
      forgetRefcounts(image);

      host.watch(refcounts.blockOffset(PER_BLOCK), () -> space.giveBack(second, 30));
      long fourth = space.allocate(30);

      assertThat(host.seen).as("calls from within the allocation").isOne();
      assertThat(first).isEqualTo((PER_BLOCK - 1L) * CLUSTER);
      assertThat(refcounts.get(PER_BLOCK - 1) + refcounts.get(PER_BLOCK)).isEqualTo(3);
      space.giveBack(first, 300);
      space.giveBack(third, 30);
      space.giveBack(fourth, 30);
      assertThat(refcounts.get(PER_BLOCK - 1)).isZero();
      assertThat(refcounts.get(PER_BLOCK)).isZero();
    }
  }

  /** The free ones are the last that one refcount block counts, and the first of the next. */
  private static CompressedSpace spaceWithTwoFreeClusters(Qcow2Image image, Refcounts refcounts)
      throws IOException {
    Metadata metadata = image.metadata();
    FreedClusters freed = image.parts().freed();
    RefcountTableGrowth growth =
        new RefcountTableGrowth(metadata, refcounts, freed, image.parts().writeback());
    ClusterAllocator allocator =
        new ClusterAllocator(metadata, refcounts, growth, metadata.file().length());
    allocator.allocateContiguous(PER_BLOCK);
    allocator.allocate(PER_BLOCK); // whatever is left below
    allocator.giveBack(new HostRun((PER_BLOCK - 1L) * CLUSTER, 2));
    return new CompressedSpace(metadata, refcounts, allocator);
  }

  private static void forgetRefcounts(Qcow2Image image) throws IOException {
    image.parts().writeback().writeDirty();
    image.metadata().refcountCache().clear();
  }

  private static Qcow2Image open(Host host) throws IOException {
    DriverOptions options = new DriverOptions("test.qcow2", true, Map.of());
    return (Qcow2Image) new Qcow2Driver().open(options, new MemoryChild(host).opener());
  }

  /** Does something once, before the next read at some offset. */
  private static final class Host extends ForwardingInstance {
    private long offset = -1;
    private Action action = () -> {};
    private int seen;

    private interface Action {
      void run() throws IOException;
    }

    Host() {
      super(MemoryInstance.file(ImageShape.of(CLUSTER, 1 << 20).withRefcountBits(2).create(), 1));
    }

    void watch(long readOffset, Action then) {
      offset = readOffset;
      action = then;
    }

    @Override
    protected void before(Call call) throws IOException {
      if (call.kind() == Kind.READ && call.offset() == offset) {
        offset = -1;
        seen++;
        action.run();
      }
    }
  }
}
