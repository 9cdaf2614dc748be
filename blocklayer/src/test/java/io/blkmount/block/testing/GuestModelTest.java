// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.GuestModel.Begin;
import io.blkmount.block.testing.GuestModel.End;
import io.blkmount.block.testing.GuestModel.Verb;
import org.junit.jupiter.api.Test;

final class GuestModelTest {
  private final GuestModel guest = new GuestModel(new long[8], 99);

  private void run(int id, Verb verb, int sector) {
    guest.step(new Begin(id, verb, sector, 1));
    guest.step(new End(id));
  }

  @Test
  void unflushedWriteMayBeLost() {
    run(1, Verb.WRITE, 3);
    run(2, Verb.WRITE, 3);

    assertThat(guest.allowed(3)).containsExactlyInAnyOrder(0L, 1L, 2L);
    assertThat(guest.allowed(4)).containsExactly(0L);
  }

  @Test
  void flushLeavesTheLastWriteOnly() {
    run(1, Verb.WRITE, 3);
    run(2, Verb.WRITE, 3);
    run(3, Verb.FLUSH, 0);

    assertThat(guest.allowed(3)).containsExactly(2L);
    assertThat(guest.unsettled()).isEmpty();
  }

  @Test
  void flushCoversOnlyWhatHadEndedWhenItBegan() {
    guest.step(new Begin(1, Verb.WRITE, 3, 1));
    guest.step(new Begin(2, Verb.FLUSH, 0, 0));
    guest.step(new End(1));
    guest.step(new End(2));

    assertThat(guest.allowed(3)).containsExactlyInAnyOrder(0L, 1L);
  }

  @Test
  void writesAtOnceMayEndInEitherOrder() {
    guest.step(new Begin(1, Verb.WRITE, 3, 1));
    guest.step(new Begin(2, Verb.WRITE, 3, 1));
    guest.step(new End(1));
    guest.step(new End(2));
    run(3, Verb.FLUSH, 0);

    assertThat(guest.allowed(3)).containsExactlyInAnyOrder(1L, 2L);
  }

  @Test
  void writesAtOnceMayEndInEitherOrderEvenIfAFlushCameBetween() {
    guest.step(new Begin(1, Verb.WRITE, 3, 1));
    run(2, Verb.WRITE, 3);
    run(3, Verb.FLUSH, 0);
    guest.step(new End(1));
    run(4, Verb.FLUSH, 0);

    assertThat(guest.allowed(3)).containsExactlyInAnyOrder(1L, 2L);
  }

  @Test
  void discardLeavesOldOrZeroAndZeroReplaces() {
    run(1, Verb.WRITE, 3);
    run(2, Verb.FLUSH, 0);
    run(3, Verb.DISCARD, 3);
    run(4, Verb.FLUSH, 0);
    assertThat(guest.allowed(3)).containsExactlyInAnyOrder(0L, 1L);

    run(5, Verb.ZERO, 3);
    run(6, Verb.FLUSH, 0);
    assertThat(guest.allowed(3)).containsExactly(0L);
  }

  @Test
  void grownDiskIsDurableWithTheNextFlush() {
    run(1, Verb.GROW, 12);
    assertThat(guest.leastSectors()).isEqualTo(8);
    assertThat(guest.mostSectors()).isEqualTo(12);

    run(2, Verb.FLUSH, 0);
    assertThat(guest.leastSectors()).isEqualTo(12);
    assertThat(guest.allowed(11)).containsExactly(0L);
  }

  @Test
  void shrunkAndGrownSectorsAreZeroWithTheNextFlush() {
    run(1, Verb.WRITE, 6);
    run(2, Verb.FLUSH, 0);
    run(3, Verb.SHRINK, 4);
    assertThat(guest.allowed(6)).containsExactlyInAnyOrder(1L, 0L, 99L);
    assertThat(guest.allowed(3)).containsExactly(0L);
    assertThat(guest.leastSectors()).isEqualTo(4);
    assertThat(guest.mostSectors()).isEqualTo(8);

    run(4, Verb.GROW, 8);
    run(5, Verb.FLUSH, 0);
    assertThat(guest.allowed(6)).containsExactly(0L);
    assertThat(guest.leastSectors()).isEqualTo(8);
  }

  @Test
  void sectorsSayWhoTheyAre() {
    byte[] bytes = new byte[512];
    SectorPattern.sectors(7, 2, 5).get(bytes);
    assertThat(SectorPattern.generation(bytes, 7)).isEqualTo(5);
    assertThat(SectorPattern.generation(bytes, 8)).isEqualTo(SectorPattern.FOREIGN);

    bytes[300]++;
    assertThat(SectorPattern.generation(bytes, 7)).isEqualTo(SectorPattern.FOREIGN);
    assertThat(SectorPattern.generation(new byte[512], 7)).isEqualTo(SectorPattern.ZERO);
  }
}
