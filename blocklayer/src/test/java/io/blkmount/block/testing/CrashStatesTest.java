// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.CrashStates.Judge;
import io.blkmount.block.testing.CrashStates.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Disks of three sectors, each shown as one letter: "a" old, "b" new, "." zero. */
final class CrashStatesTest {
  private final CrashInstance disk =
      new CrashInstance(PagedBytes.of("a".repeat(1536).getBytes(StandardCharsets.US_ASCII)));

  private void write(int sector, int count, char letter) throws IOException {
    byte[] data = new byte[count * 512];
    Arrays.fill(data, (byte) letter);
    disk.write(sector * 512L, ByteBuffer.wrap(data), WriteFlags.NONE);
  }

  private static Set<String> states(CrashLog log, boolean afterMarkOnly) {
    Set<String> seen = new TreeSet<>();
    boolean[] marked = {!afterMarkOnly};
    Judge judge =
        new Judge() {
          @Override
          public void guest(Object mark) {
            marked[0] = true;
          }

          @Override
          public void judge(PagedBytes state, Kind kind, int position) {
            if (marked[0]) {
              seen.add(letters(state));
            }
          }
        };
    CrashStates.replay(log, judge, 1, 20_000);
    return seen;
  }

  private static String letters(PagedBytes state) {
    StringBuilder letters = new StringBuilder();
    for (long at = 0; at < state.length(); at += 512) {
      char letter = (char) state.bytes(at, 1)[0];
      letters.append(letter == 0 ? '.' : letter);
    }
    return letters.toString();
  }

  @Test
  void anySubsetOfWhatWasNotFlushedMayBeThere() throws IOException {
    write(0, 1, 'b');
    write(1, 1, 'c');
    disk.writeZeroes(1024, 512, WriteFlags.NONE);

    assertThat(states(disk.log(), false))
        .contains("aaa", "baa", "aca", "aa.", "bca", "ba.", "ac.", "bc.");
  }

  @Test
  void flushedWritesAreInEveryState() throws IOException {
    write(0, 1, 'b');
    disk.flush();
    disk.mark("acknowledged");
    write(1, 1, 'c');
    disk.truncate(512, Preallocation.OFF);
    disk.truncate(2048, Preallocation.OFF);

    assertThat(states(disk.log(), true)).allMatch(state -> state.startsWith("b")).contains("b...");
    assertThat(states(disk.log().withoutFlushes(number -> true), true))
        .anyMatch(state -> state.startsWith("a"));
    assertThat(states(disk.log().withDelayed(offset -> offset == 0), true))
        .anyMatch(state -> state.startsWith("a"));
    assertThat(states(disk.log().withDelayed(offset -> offset == 512), true))
        .allMatch(state -> state.startsWith("b"));
  }

  @Test
  void oneWriteIsTornBetweenSectors() throws IOException {
    write(0, 3, 'b');
    disk.flush();

    assertThat(states(disk.log(), false)).contains("baa", "abb", "aba");
  }

  @Test
  void headerIsTornOnlyOnRequest() throws IOException {
    disk.write(0, ByteBuffer.wrap(new byte[8]), WriteFlags.NONE);
    disk.flush();

    Set<Long> whole = words(disk.log());
    Set<Long> torn = words(disk.log().withTornHeader());

    assertThat(whole).containsExactlyInAnyOrder(0L, 0x6161_6161_6161_6161L);
    assertThat(torn).contains(0x6161_6161L, 0x6161_6161_0000_0000L);
  }

  private static Set<Long> words(CrashLog log) {
    Set<Long> words = new TreeSet<>();
    Judge judge =
        new Judge() {
          @Override
          public void guest(Object mark) {}

          @Override
          public void judge(PagedBytes state, Kind kind, int position) {
            words.add(state.getLong(0));
          }
        };
    CrashStates.replay(log, judge, 1, 100);
    return words;
  }
}
