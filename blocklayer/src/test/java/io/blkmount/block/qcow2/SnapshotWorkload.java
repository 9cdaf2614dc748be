// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.GuestModel.Begin;
import io.blkmount.block.testing.GuestModel.End;
import io.blkmount.block.testing.GuestModel.Replace;
import io.blkmount.block.testing.GuestModel.Verb;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.SectorPattern;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;

/** Takes, applies and deletes internal snapshots, each announced to the host's log. */
final class SnapshotWorkload {
  private static final int MOST = 3;

  private final CrashInstance host;
  private final AtomicInteger ids;
  private final SplittableRandom random;

  /** What each snapshot holds, in the order of the image's list. */
  private List<Kept> kept = List.of();

  SnapshotWorkload(CrashInstance host, AtomicInteger ids, SplittableRandom random) {
    this.host = host;
    this.ids = ids;
    this.random = random;
  }

  /** A snapshot as it was taken: who wrote each of its sectors. */
  record Kept(String id, List<Long> values) {}

  /** The list of snapshots is about to be another one. */
  record ListChange(List<Kept> before, List<Kept> after) {}

  /** The list has changed, for good. */
  record ListChanged() {}

  void work(CrashWorkload guest, TestImage image) throws IOException {
    int kind = random.nextInt(10);
    if (kept.isEmpty() || (kind < 5 && kept.size() < MOST)) {
      take(image);
    } else if (kind < 7) {
      apply(guest, image, kept.get(random.nextInt(kept.size())));
    } else {
      delete(image, kept.get(random.nextInt(kept.size())));
    }
  }

  private void take(TestImage image) throws IOException {
    List<Kept> after = new ArrayList<>(kept);
    String name = "s" + ids.incrementAndGet();
    after.add(new Kept(name, values(image)));
    NewSnapshot wanted = NewSnapshot.ofDisk(name, Instant.EPOCH);
    change(after, () -> snapshots(image).createSnapshot(wanted));
  }

  private void delete(TestImage image, Kept gone) throws IOException {
    List<Kept> after = new ArrayList<>(kept);
    after.remove(gone);
    change(after, () -> snapshots(image).deleteSnapshot(gone.id()));
  }

  /** All of these are durable when they return, and the guest's requests with them. */
  private void change(List<Kept> after, CrashWorkload.Request request) throws IOException {
    int flush = ids.incrementAndGet();
    host.mark(new Begin(flush, Verb.FLUSH, 0, 0));
    host.mark(new ListChange(kept, List.copyOf(after)));
    request.run();
    host.mark(new ListChanged());
    host.mark(new End(flush));
    kept = List.copyOf(after);
  }

  private void apply(CrashWorkload guest, TestImage image, Kept to) throws IOException {
    int id = ids.incrementAndGet();
    host.mark(new Replace(id, to.values()));
    snapshots(image).applySnapshot(to.id());
    host.mark(new End(id));
    guest.announced(new Begin(ids.incrementAndGet(), Verb.FLUSH, 0, 0), () -> {});
  }

  private static Snapshottable snapshots(TestImage image) {
    return (Snapshottable) image.driver();
  }

  private static List<Long> values(TestImage image) throws IOException {
    return values(Images.read(image.io(), 0, (int) image.io().length()));
  }

  /** Returns who wrote each sector of a disk. */
  static List<Long> values(ByteBuffer disk) {
    List<Long> values = new ArrayList<>();
    byte[] sector = new byte[SectorPattern.SECTOR];
    for (long number = 0; disk.hasRemaining(); number++) {
      disk.get(sector);
      values.add(SectorPattern.generation(sector, number));
    }
    return values;
  }
}
