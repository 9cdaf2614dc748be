// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.testing.CrashStates.Judge;
import io.blkmount.block.testing.CrashStates.Kind;
import io.blkmount.block.testing.Qcow2Checker.Findings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Judges crash states of a qcow2 image: its structure by {@link Qcow2Checker}, every sector by
 * {@link GuestModel}. {@code -Dblkmount.tests.keep=FOLDER} keeps the images that failed.
 */
public final class CrashJudge implements Judge {
  /** What is wrong with a state. */
  public enum Verdict {
    /** A structure breaks the format's rules. */
    CORRUPT,
    /** A sector has neither a durable value nor one written since. */
    LOST,
    /** A sector shows garbage or another sector's data. */
    FOREIGN
  }

  private static final int MAX_FAILURES = 5;
  private static final int SAMPLE = 200;
  private static final int FULL_EVERY = 20;

  private final GuestModel guest;
  private final Qcow2Reader.Backing backing;
  private final SplittableRandom random;
  private final byte[] sector = new byte[SectorPattern.SECTOR];
  private final Map<Verdict, Integer> verdicts = new EnumMap<>(Verdict.class);
  private final List<String> failures = new ArrayList<>();
  private int states;
  private int leakStates;
  private long mostLeaks;

  /**
   * Creates a judge.
   *
   * @param initial the value of each sector before the first request, all durable
   * @param backing what lies below the image
   * @param below the value of its sectors, {@code ZERO} if there is none
   * @param seed of the sample of sectors
   */
  public CrashJudge(long[] initial, Qcow2Reader.Backing backing, long below, long seed) {
    this.guest = new GuestModel(initial, below);
    this.backing = backing;
    this.random = new SplittableRandom(seed);
  }

  @Override
  public void guest(Object mark) {
    guest.step(mark);
  }

  @Override
  public void judge(PagedBytes state, Kind kind, int position) {
    states++;
    String where = kind + " at event " + position + ": ";
    Findings findings = Qcow2Checker.check(state);
    if (findings.leaks() > 0) {
      leakStates++;
      mostLeaks = Math.max(mostLeaks, findings.leaks());
    }
    if (!findings.isConsistent()) {
      fail(Verdict.CORRUPT, where + findings.corruptions(), state);
      return;
    }
    try {
      judgeSectors(new Qcow2Reader(state, backing), where, state);
    } catch (IOException e) {
      fail(Verdict.CORRUPT, where + e.getMessage(), state);
    }
  }

  private void judgeSectors(Qcow2Reader reader, String where, PagedBytes state) throws IOException {
    long length = reader.length() / SectorPattern.SECTOR;
    if (length < guest.leastSectors() || length > guest.mostSectors()) {
      fail(Verdict.LOST, where + "length of " + length + " sectors", state);
      return;
    }
    for (int number : sample((int) length)) {
      if (!judgeSector(reader, number, where, state)) {
        return;
      }
    }
  }

  private List<Integer> sample(int length) {
    List<Integer> sample = new ArrayList<>();
    if (states % FULL_EVERY == 0) {
      for (int number = 0; number < length; number++) {
        sample.add(number);
      }
      return sample;
    }
    for (int number : guest.unsettled()) {
      if (number < length) {
        sample.add(number);
      }
    }
    for (int i = 0; i < SAMPLE; i++) {
      sample.add(random.nextInt(length));
    }
    return sample;
  }

  private boolean judgeSector(Qcow2Reader reader, int number, String where, PagedBytes state)
      throws IOException {
    reader.read((long) number * SectorPattern.SECTOR, ByteBuffer.wrap(sector));
    long value = SectorPattern.generation(sector, number);
    if (guest.allows(number, value)) {
      return true;
    }
    Verdict verdict = value == SectorPattern.FOREIGN ? Verdict.FOREIGN : Verdict.LOST;
    String problem = "sector " + number + " is " + value + ", not of " + guest.allowed(number);
    fail(verdict, where + problem, state);
    return false;
  }

  private void fail(Verdict verdict, String message, PagedBytes state) {
    verdicts.merge(verdict, 1, Integer::sum);
    if (failures.size() < MAX_FAILURES) {
      failures.add(verdict + " " + message + kept(state));
    }
  }

  private String kept(PagedBytes state) {
    String folder = System.getProperty("blkmount.tests.keep");
    if (folder == null) {
      return "";
    }
    Path file = Path.of(folder, "crash-" + System.nanoTime() + ".qcow2");
    Images.store(state, file);
    return " kept as " + file;
  }

  /** Returns how many states were judged. */
  public int states() {
    return states;
  }

  /**
   * Returns how many states had a verdict.
   *
   * @param verdict which
   */
  public int count(Verdict verdict) {
    return verdicts.getOrDefault(verdict, 0);
  }

  /** Returns how many states are wrong. */
  public int wrong() {
    return verdicts.values().stream().mapToInt(Integer::intValue).sum();
  }

  /** Returns the first states that are wrong. */
  public List<String> failures() {
    return failures;
  }

  @Override
  public String toString() {
    return states
        + (" states, wrong " + verdicts)
        + (", with leaks " + leakStates + " (at most " + mostLeaks + " clusters) ")
        + failures;
  }
}
