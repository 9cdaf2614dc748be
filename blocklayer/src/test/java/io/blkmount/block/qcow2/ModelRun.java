// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.InternalSnapshot;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Reader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** Random requests of any alignment on an image, each compared with a plain array. */
final class ModelRun {
  private static final int MAX_RESIZES = 6;
  private static final int[] HOST_ALIGNMENTS = {1, 512, 4096};

  private final String name;
  private final TestImage.Options options;
  private final SplittableRandom random;
  private final int clusterSize;
  private final @Nullable PagedBytes backing;
  private final DiskModel model;
  private MemoryInstance host;
  private TestImage image;
  private boolean compresses;
  private final Map<String, byte[]> snapshots = new LinkedHashMap<>();
  private boolean takesSnapshots;
  private int resizes;
  private int step;

  /**
   * Opens an image.
   *
   * @param name for failures; holds the seed
   * @param content of the image file
   * @param backing what lies below, or null
   * @param options to open with, each time
   * @param random source of the requests
   */
  ModelRun(
      String name,
      PagedBytes content,
      @Nullable PagedBytes backing,
      TestImage.Options options,
      SplittableRandom random)
      throws IOException {
    this.name = name;
    this.backing = backing;
    this.options = options;
    this.random = random;
    Qcow2Reader reader = reader(content);
    this.clusterSize = reader.layout().clusterSize();
    this.model = new DiskModel((int) reader.length());
    model.write(0, all(reader));
    this.host = MemoryInstance.file(content.copy(), HOST_ALIGNMENTS[random.nextInt(3)]);
    this.image = TestImage.open(host, backing, options);
  }

  /** Opens an empty image over a backing file of random bytes with holes. */
  static ModelRun of(ImageShape shape, TestImage.Options options, long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    PagedBytes backing = shape.hasBacking() ? backing(shape.backingLength(), random) : null;
    ModelRun run = new ModelRun(shape + " seed " + seed, shape.create(), backing, options, random);
    return shape.isCompressed() ? run.withCompressedWrites() : run;
  }

  static PagedBytes backing(int length, SplittableRandom random) {
    PagedBytes bytes = new PagedBytes(length);
    for (int at = 0; at < length; ) {
      int part = Math.min(length - at, 1 + random.nextInt(length / 4 + 1));
      if (random.nextInt(3) > 0) {
        bytes.write(at, ByteBuffer.wrap(DiskModel.pattern(part, random.nextLong())));
      }
      at += part;
    }
    return bytes;
  }

  private Qcow2Reader reader(PagedBytes content) throws IOException {
    return new Qcow2Reader(content, (backing == null ? new PagedBytes(0) : backing)::read);
  }

  private static ByteBuffer all(Qcow2Reader reader) throws IOException {
    ByteBuffer all = ByteBuffer.allocate((int) reader.length());
    reader.read(0, all);
    return all.flip();
  }

  /** Leaves the disk as long as it is. */
  ModelRun withoutResizing() {
    resizes = MAX_RESIZES;
    return this;
  }

  /** Sends some writes of whole clusters to be compressed. */
  ModelRun withCompressedWrites() {
    compresses = true;
    return this;
  }

  /** Works with internal snapshots, too. */
  ModelRun withSnapshots() {
    takesSnapshots = true;
    return this;
  }

  ModelRun run(int steps) throws IOException {
    for (int i = 0; i < steps; i++) {
      step++;
      if (takesSnapshots && random.nextInt(8) == 0) {
        workWithSnapshots();
      } else {
        request();
      }
    }
    return this;
  }

  private void workWithSnapshots() throws IOException {
    int kind = random.nextInt(10);
    if (kind < 5 || snapshots.isEmpty()) {
      takeSnapshot("s" + step);
      return;
    }
    List<String> ids = List.copyOf(snapshots.keySet());
    String id = ids.get(random.nextInt(ids.size()));
    if (kind < 7) {
      applySnapshot(id);
    } else {
      deleteSnapshot(id);
    }
  }

  /** Takes a snapshot unless clusters would be shared more often than they can be counted. */
  void takeSnapshot(String snapshotName) throws IOException {
    read(0, model.length());
    try {
      NewSnapshot wanted = NewSnapshot.ofDisk(snapshotName, Instant.ofEpochSecond(step));
      InternalSnapshot taken = ((Snapshottable) image.driver()).createSnapshot(wanted);
      snapshots.put(taken.id(), model.bytes(0, model.length()));
    } catch (BlockException e) {
      assertThat(e).as("%s", this).hasMessageContaining("is the largest that fits");
    }
  }

  void applySnapshot(String id) throws IOException {
    ((Snapshottable) image.driver()).applySnapshot(id);
    byte[] bytes = snapshots.get(id);
    model.truncate(bytes.length);
    model.write(0, ByteBuffer.wrap(bytes));
    assertThat(image.io().length()).as("%s", this).isEqualTo(bytes.length);
  }

  void deleteSnapshot(String id) throws IOException {
    ((Snapshottable) image.driver()).deleteSnapshot(id);
    snapshots.remove(id);
  }

  /** Returns what each snapshot shall show, by id and in the order of the list. */
  Map<String, byte[]> snapshots() {
    return snapshots;
  }

  private void request() throws IOException {
    int kind = random.nextInt(100);
    int offset = random.nextInt(model.length());
    int length = Math.min(length(), model.length() - offset);
    if (random.nextInt(compresses ? 2 : 4) == 0) {
      offset = offset / clusterSize * clusterSize;
      length = Math.min(Math.max(1, length / clusterSize) * clusterSize, model.length() - offset);
    }
    if (kind < 40) {
      write(offset, length);
    } else if (kind < 62) {
      read(offset, length);
    } else if (kind < 74) {
      zero(offset, length);
    } else if (kind < 86) {
      discard(offset, length);
    } else {
      other(kind, offset, length);
    }
  }

  private void other(int kind, int offset, int length) throws IOException {
    if (kind < 92) {
      checkExtent(offset, length);
    } else if (kind < 96) {
      image.io().flush();
    } else if (kind < 98) {
      reopen();
    } else if (kind < 99 && !options.compress()) {
      image.pipeline().reserve(offset, length);
    } else if (resizes++ < MAX_RESIZES) {
      resize();
    }
  }

  private int length() {
    int most = Math.min(Math.max(3 * clusterSize, 4096), 1 << 20);
    return 1 + random.nextInt(1 + random.nextInt(most));
  }

  void write(int offset, int length) throws IOException {
    long seed = random.nextLong();
    ByteBuffer bytes = bytes(length, seed);
    model.write(offset, bytes);
    image.io().write(offset, bytes, writeFlags(offset, length));
  }

  private ByteBuffer bytes(int length, long seed) {
    if (!compresses) {
      return Images.bytes(length, seed);
    }
    return seed % 8 == 0 ? Images.noise(length, seed) : Images.compressible(length, seed);
  }

  private WriteFlags writeFlags(int offset, int length) {
    boolean endFits = length % clusterSize == 0 || offset + length == model.length();
    boolean whole = offset % clusterSize == 0 && endFits;
    return compresses && whole && random.nextInt(4) > 0 ? WriteFlags.COMPRESSED : WriteFlags.NONE;
  }

  void zero(int offset, int length) throws IOException {
    image.io().writeZeroes(offset, length, flags());
    model.writeZeroes(offset, length);
  }

  private WriteFlags flags() {
    return random.nextBoolean() ? WriteFlags.NONE : WriteFlags.MAY_UNMAP;
  }

  void discard(int offset, int length) throws IOException {
    image.io().discard(offset, length);
    model.discard(offset, length);
  }

  void read(int offset, int length) throws IOException {
    model.check(offset, Images.read(image.io(), offset, length), this);
  }

  private void checkExtent(int offset, int length) throws IOException {
    Extent extent = image.io().extentAt(offset, length);
    assertThat(extent.offset()).isEqualTo(offset);
    assertThat(extent.length()).as("%s", this).isBetween(1L, (long) length);
    if (extent.kind() == Extent.Kind.ZERO) {
      read(offset, (int) extent.length());
      assertThat(model.bytes(offset, (int) extent.length())).as("%s", this).containsOnly(0);
    } else if (extent.kind() == Extent.Kind.DATA && extent.hostOffset() >= 0) {
      image.io().flush();
      byte[] stored = host.content().bytes(extent.hostOffset(), (int) extent.length());
      model.check(offset, ByteBuffer.wrap(stored), this);
    }
  }

  private void resize() throws IOException {
    if (random.nextInt(3) == 0) {
      shrink();
    } else {
      grow();
    }
  }

  private void shrink() throws IOException {
    int length = 512 * (1 + model.length() / 1024 + random.nextInt(model.length() / 1024));
    image.pipeline().truncate(length, Preallocation.OFF);
    model.truncate(length);
  }

  private void grow() throws IOException {
    int length = model.length() + 512 * (1 + random.nextInt(1 + model.length() / 1024));
    image.pipeline().truncate(length, Preallocation.OFF);
    model.truncate(length);
  }

  void reopen() throws IOException {
    image.close();
    requireSound();
    image = TestImage.open(host, backing, options);
  }

  /** Closes the image and compares all of it. */
  PagedBytes finish() throws IOException {
    ByteBuffer whole = Images.read(image.io(), 0, model.length());
    model.check(0, whole, this);
    image.close();
    requireSound();
    return host.content();
  }

  private void requireSound() throws IOException {
    PagedBytes content = host.content();
    assertThat(Qcow2Checker.check(content)).as("%s", this).matches(Qcow2Checker.Findings::isClean);
    Qcow2Reader reader = reader(content);
    assertThat(reader.length()).as("%s", this).isEqualTo(model.length());
    model.check(0, all(reader), this + " after close");
    int index = 0;
    for (byte[] expected : snapshots.values()) {
      ByteBuffer shown = all(reader.snapshot(index++));
      assertThat(shown.equals(ByteBuffer.wrap(expected)))
          .as("%s: snapshot %d is as it was", this, index)
          .isTrue();
    }
  }

  /** Returns what the guest shall see. */
  PagedBytes expected() {
    return PagedBytes.of(model.bytes(0, model.length()));
  }

  @Nullable PagedBytes backing() {
    return backing;
  }

  @Override
  public String toString() {
    return name + " step " + step;
  }
}
