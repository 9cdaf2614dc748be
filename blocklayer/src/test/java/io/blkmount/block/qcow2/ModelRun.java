// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Random requests of any alignment on an image, each compared with a plain array; and between them,
 * where a test wants it, work with internal snapshots and persistent bitmaps.
 */
final class ModelRun {
  private static final int MAX_RESIZES = 6;

  private final String name;
  private final SplittableRandom random;
  private final ModelDisk disk;
  private final DiskModel model;
  private final ModelSnapshots snapshots;
  private final ModelBitmaps bitmaps;
  private boolean compresses;
  private boolean takesSnapshots;
  private boolean keepsBitmaps;
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
    this(name, new ModelStart(content, null, backing), options, random);
  }

  private ModelRun(
      String name, ModelStart start, TestImage.Options options, SplittableRandom random)
      throws IOException {
    this.name = name;
    this.random = random;
    this.disk = new ModelDisk(start, options, random);
    this.model = disk.model();
    this.snapshots = new ModelSnapshots(random.split(), model);
    this.bitmaps = new ModelBitmaps(random.split());
  }

  /** Opens an empty image over a backing file of random bytes with holes. */
  static ModelRun of(ImageShape shape, TestImage.Options options, long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    PagedBytes backing =
        shape.hasBacking() ? ModelStart.backing(shape.backingLength(), random) : null;
    ModelRun run = new ModelRun(shape + " seed " + seed, shape.create(), backing, options, random);
    return shape.isCompressed() ? run.withCompressedWrites() : run;
  }

  /** Opens an empty image; whatever its features allow will be done with it. */
  static ModelRun of(ModelShape shape, long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    ImageShape image = shape.image();
    PagedBytes backing =
        image.hasBacking() ? ModelStart.backing(image.backingLength(), random) : null;
    ModelRun run =
        new ModelRun(
            shape + " seed " + seed, ModelStart.of(shape, backing), shape.options(), random);
    run.compresses = image.isCompressed();
    run.takesSnapshots = shape.dataFile() == ModelShape.DataFile.NONE;
    run.keepsBitmaps = image.version() == 3;
    return run;
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

  ModelRun run(int steps) throws IOException {
    for (int i = 0; i < steps; i++) {
      step++;
      int kind = random.nextInt(16);
      if (kind == 0 && takesSnapshots) {
        workWithSnapshots();
      } else if (kind <= 2 && keepsBitmaps) {
        bitmaps.work(BitmapImages.store(disk.image()), model.length());
      } else {
        request();
      }
    }
    return this;
  }

  /** A snapshot is not gone back to while there are bitmaps, which could not follow. */
  private void workWithSnapshots() throws IOException {
    read(0, model.length());
    if (random.nextBoolean()) {
      bitmaps.removeAll(BitmapImages.store(disk.image()));
    }
    snapshots.work(disk.image(), bitmaps.isEmpty(), this);
  }

  private void request() throws IOException {
    int kind = random.nextInt(100);
    int offset = random.nextInt(model.length());
    int length = Math.min(length(), model.length() - offset);
    int clusterSize = disk.clusterSize();
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
      disk.checkExtent(offset, length, this);
    } else if (kind < 95) {
      disk.io().flush();
    } else if (kind < 97) {
      reopen();
    } else if (kind < 98 && !disk.options().compress()) {
      disk.image().pipeline().reserve(offset, length);
    } else if (resizes++ < MAX_RESIZES) {
      resize();
    }
  }

  private int length() {
    int most = Math.min(Math.max(3 * disk.clusterSize(), 4096), 1 << 20);
    return 1 + random.nextInt(1 + random.nextInt(most));
  }

  void write(int offset, int length) throws IOException {
    ByteBuffer bytes = bytes(length, random.nextLong());
    model.write(offset, bytes);
    disk.io().write(offset, bytes, writeFlags(offset, length));
    bitmaps.changed(offset, length);
  }

  private ByteBuffer bytes(int length, long seed) {
    if (!compresses) {
      return Images.bytes(length, seed);
    }
    return seed % 8 == 0 ? Images.noise(length, seed) : Images.compressible(length, seed);
  }

  private WriteFlags writeFlags(int offset, int length) {
    int clusterSize = disk.clusterSize();
    boolean endFits = length % clusterSize == 0 || offset + length == model.length();
    boolean whole = offset % clusterSize == 0 && endFits;
    return compresses && whole && random.nextInt(4) > 0 ? WriteFlags.COMPRESSED : WriteFlags.NONE;
  }

  void zero(int offset, int length) throws IOException {
    disk.io().writeZeroes(offset, length, flags());
    model.writeZeroes(offset, length);
    bitmaps.changed(offset, length);
  }

  private WriteFlags flags() {
    return random.nextBoolean() ? WriteFlags.NONE : WriteFlags.MAY_UNMAP;
  }

  void discard(int offset, int length) throws IOException {
    disk.io().discard(offset, length);
    model.discard(offset, length);
    if (disk.unmaps()) {
      bitmaps.changed(offset, length);
    }
  }

  void read(int offset, int length) throws IOException {
    model.check(offset, Images.read(disk.io(), offset, length), this);
  }

  private void resize() throws IOException {
    int sectors = model.length() / 1024;
    if (random.nextInt(3) == 0) {
      resize(512 * (1 + sectors + random.nextInt(sectors)), Preallocation.OFF);
    } else {
      Preallocation mode = Preallocation.values()[random.nextInt(4)];
      resize(model.length() + 512 * (1 + random.nextInt(1 + sectors)), mode);
    }
  }

  private void resize(int length, Preallocation mode) throws IOException {
    if (disk.canResize(snapshots.isEmpty())) {
      disk.image().pipeline().truncate(length, mode);
      model.truncate(length);
      bitmaps.resized(length);
    } else {
      disk.requireRefused(length, mode, this);
    }
  }

  private void reopen() throws IOException {
    compareBitmaps();
    disk.close();
    requireSound();
    if (random.nextInt(3) == 0) {
      lookOnly();
    }
    disk.open(true);
    compareBitmaps();
  }

  /** A read-only opening shows the same and changes nothing. */
  private void lookOnly() throws IOException {
    PagedBytes before = disk.content();
    disk.open(false);
    read(0, model.length());
    compareBitmaps();
    disk.close();
    PagedBytes after = disk.content();
    assertThat(ByteBuffer.wrap(after.bytes(0, (int) after.length())))
        .as("%s", this)
        .isEqualTo(ByteBuffer.wrap(before.bytes(0, (int) before.length())));
  }

  private void compareBitmaps() throws IOException {
    if (keepsBitmaps) {
      bitmaps.compareLive(BitmapImages.store(disk.image()), this);
    }
  }

  private void requireSound() throws IOException {
    disk.requireSound(snapshots.all().values(), this);
    if (keepsBitmaps) {
      bitmaps.compareStored(disk.content(), this);
    }
  }

  /** Closes the image and compares all of it; returns the image file. */
  PagedBytes finish() throws IOException {
    read(0, model.length());
    compareBitmaps();
    disk.close();
    requireSound();
    return disk.content();
  }

  /** Returns what each snapshot shall show, by id and in the order of the list. */
  Map<String, ModelSnapshots.Kept> snapshots() {
    return snapshots.all();
  }

  ModelBitmaps bitmaps() {
    return bitmaps;
  }

  /** Returns the files as they are now. */
  ModelStart files() {
    return disk.files();
  }

  /** Returns what the guest shall see. */
  PagedBytes expected() {
    return PagedBytes.of(model.bytes(0, model.length()));
  }

  /** Returns what qemu-io may do with a disk that is as long as it is now. */
  String[] commandsInside() {
    int part = model.length() / 64 & -512;
    return new String[] {
      "write -P 7 " + 3 * part / 2 + " " + 5 * part,
      "write -z " + 30 * part + " " + 8 * part,
      "discard " + 16 * part + " " + 4 * part
    };
  }

  @Nullable PagedBytes backing() {
    return disk.files().backing();
  }

  @Override
  public String toString() {
    return name + " step " + step;
  }
}
