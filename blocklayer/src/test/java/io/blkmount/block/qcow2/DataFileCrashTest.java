// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.request.PipelineOptions;
import io.blkmount.block.request.RequestPipeline;
import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.SectorPattern;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A power cut in front of every flush of either file, and after every request: each file keeps what
 * it has flushed and any part of the rest, and each sector then is what it was at the guest's last
 * flush or what a later request made of it. A raw data file shows the same bytes as its image.
 */
final class DataFileCrashTest {
  private static final int SECTORS = 256;
  private static final int LENGTH = SECTORS * SectorPattern.SECTOR;
  private static final int REQUESTS = 120;

  private final List<Set<Long>> allowed = new ArrayList<>();
  private SplittableRandom random = new SplittableRandom(0);
  private boolean raw;
  private CrashInstance file = new CrashInstance(new PagedBytes(0));
  private CrashInstance data = new CrashInstance(new PagedBytes(0));
  private boolean dropsDataFlushes;
  private long generation;
  private int states;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512",
        "cluster_size=4096",
        "cluster_size=65536",
        "cluster_size=512,data_file_raw=on",
        "cluster_size=4096,data_file_raw=on",
        "cluster_size=16384,extended_l2=on",
        "cluster_size=65536,extended_l2=on,data_file_raw=on",
        "cluster_size=4096,preallocation=metadata",
        "cluster_size=16384,extended_l2=on,preallocation=full",
        "cluster_size=4096,encrypt.format=luks,encrypt.iter-time=10",
        "cluster_size=16384,extended_l2=on,encrypt.format=luks,encrypt.iter-time=10"
      })
  void noPowerCutLosesWhatWasFlushed(String options) throws IOException {
    for (long seed = 1; seed <= 3L * Images.SCALE; seed++) {
      run(options, seed);
    }

    CrashFloor.DATA_FILE.require(states);
  }

  /** The negative control. */
  @Test
  void aForgottenFlushOfTheDataFileIsSeen() {
    dropsDataFlushes = true;
    AssertionError seen = null;
    try {
      run("cluster_size=4096", 5);
    } catch (AssertionError | IOException e) {
      seen = e instanceof AssertionError error ? error : null;
    }
    assertThat(seen).isNotNull();
  }

  private void run(String options, long seed) throws IOException {
    raw = options.contains("data_file_raw=on");
    random = new SplittableRandom(seed);
    MemoryInstance emptyFile = MemoryInstance.ofLength(0);
    MemoryInstance emptyData = MemoryInstance.ofLength(0);
    ImageFiles.create(emptyFile, emptyData, LENGTH, options);
    file = new CrashInstance(emptyFile.content());
    data = new CrashInstance(emptyData.content());
    allowed.clear();
    for (int i = 0; i < SECTORS; i++) {
      allowed.add(new TreeSet<>(Set.of(SectorPattern.ZERO)));
    }
    DriverInstance driver =
        ImageFiles.over(new Cut(file, false), new Cut(data, true)).openDriver(true);
    RequestPipeline disk = new RequestPipeline(driver, PipelineOptions.writable("disk"));
    for (int i = 0; i < REQUESTS; i++) {
      request(disk);
      cut();
    }
    driver.close();
  }

  private void request(RequestPipeline disk) throws IOException {
    int length = (int) (disk.length() / SectorPattern.SECTOR);
    int first = random.nextInt(length);
    int count = 1 + random.nextInt(Math.min(24, length - first));
    long offset = (long) first * SectorPattern.SECTOR;
    long byteCount = (long) count * SectorPattern.SECTOR;
    int kind = random.nextInt(12);
    if (kind < 5) {
      allow(first, count, ++generation);
      disk.write(offset, SectorPattern.sectors(first, count, generation), WriteFlags.NONE);
    } else if (kind < 7) {
      allow(first, count, SectorPattern.ZERO);
      disk.writeZeroes(
          offset, byteCount, random.nextBoolean() ? WriteFlags.MAY_UNMAP : WriteFlags.NONE);
    } else if (kind < 8) {
      allow(first, count, SectorPattern.ZERO);
      disk.discard(offset, byteCount);
    } else if (kind < 10) {
      resize(disk, length, Math.max(1, Math.min(SECTORS, length + random.nextInt(-60, 61))));
    } else {
      disk.flush();
      settle(disk);
    }
  }

  private void resize(RequestPipeline disk, int from, int to) throws IOException {
    int kept = Math.min(from, to);
    allow(kept, SECTORS - kept, SectorPattern.ZERO);
    Preallocation mode = Preallocation.values()[to > from ? random.nextInt(4) : 0];
    disk.truncate((long) to * SectorPattern.SECTOR, mode);
  }

  private void allow(int first, int count, long value) {
    allowed.subList(first, first + count).forEach(values -> values.add(value));
  }

  /** From now on only what the guest sees is right. */
  private void settle(RequestPipeline disk) throws IOException {
    ByteBuffer seen = ByteBuffer.allocateDirect((int) disk.length());
    disk.read(0, seen);
    for (int i = 0; i < SECTORS; i++) {
      boolean isInside = i < seen.limit() / SectorPattern.SECTOR;
      long value = isInside ? sector(seen, i) : SectorPattern.ZERO;
      assertThat(allowed.get(i)).contains(value);
      allowed.set(i, new TreeSet<>(Set.of(value)));
    }
  }

  private static long sector(ByteBuffer disk, int index) {
    byte[] bytes = new byte[SectorPattern.SECTOR];
    disk.get(index * SectorPattern.SECTOR, bytes);
    return SectorPattern.generation(bytes, index);
  }

  private void cut() throws IOException {
    states++;
    PagedBytes leftFile = file.log().crashNow(random);
    PagedBytes leftData = data.log().crashNow(random);
    ByteBuffer seen;
    try (DriverInstance image =
        ImageFiles.over(MemoryInstance.file(leftFile, 1), MemoryInstance.file(leftData.copy(), 1))
            .openDriver(false)) {
      seen = ByteBuffer.allocateDirect((int) image.length());
      image.read(0, seen);
    }
    for (int i = 0; i < seen.limit() / SectorPattern.SECTOR; i++) {
      assertThat(allowed.get(i))
          .as("sector %d after %d states", i, states)
          .contains(sector(seen, i));
    }
    if (raw) {
      ByteBuffer data = ByteBuffer.wrap(leftData.bytes(0, seen.limit()));
      assertThat(seen.flip()).isEqualTo(data);
    }
  }

  /** A host file in front of whose flushes the power may go. */
  private final class Cut extends ForwardingInstance {
    private final boolean isData;

    Cut(DriverInstance inner, boolean isData) {
      super(inner);
      this.isData = isData;
    }

    @Override
    protected void before(Call call) {}

    @Override
    public void flush() throws IOException {
      cut();
      if (!isData || !dropsDataFlushes) {
        super.flush();
      }
    }
  }
}
