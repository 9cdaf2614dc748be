// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckFinding.Kind;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A check of an image in memory, held to its promises: it only reads, and what it says adds up to
 * what it counts.
 *
 * @param result what was counted
 * @param findings what was said
 */
record CheckRun(CheckResult result, List<CheckFinding> findings) {
  private static final Set<ForwardingInstance.Kind> READS =
      EnumSet.of(ForwardingInstance.Kind.READ, ForwardingInstance.Kind.EXTENT);

  private static final List<String> FIELDS =
      List.of(
          "check-errors",
          "corruptions",
          "leaks",
          "total-clusters",
          "allocated-clusters",
          "fragmented-clusters",
          "compressed-clusters",
          "image-end-offset");

  static CheckRun of(PagedBytes image) throws IOException {
    RecordingInstance host = new RecordingInstance(MemoryInstance.file(image.copy(), 1));
    List<CheckFinding> findings = new ArrayList<>();

    CheckResult result =
        new Qcow2Driver().check("test.qcow2", new MemoryChild(host), findings::add);

    assertThat(host.calls()).allMatch(call -> READS.contains(call.kind()), "only reads");
    assertAddsUp(findings, Kind.CORRUPTION, result.corruptions());
    assertAddsUp(findings, Kind.LEAK, result.leaks());
    assertAddsUp(findings, Kind.ERROR, result.checkErrors());
    return new CheckRun(result, findings);
  }

  /** Of a kind that is all over the image, not everything is told. */
  private static void assertAddsUp(List<CheckFinding> findings, Kind kind, long count) {
    List<Long> told =
        findings.stream().filter(f -> f.kind() == kind).map(CheckFinding::count).toList();
    long sum = told.stream().mapToLong(Long::longValue).sum();
    if (told.size() < CheckTally.MAX_TEXTS) {
      assertThat(sum).as("%s told", kind).isEqualTo(count);
    } else {
      assertThat(sum).as("%s told", kind).isLessThanOrEqualTo(count);
    }
  }

  /** Returns the counts by the names that qemu-img gives them. */
  Map<String, Long> counts() {
    return counts(
        result.checkErrors(),
        result.corruptions(),
        result.leaks(),
        result.totalClusters(),
        result.allocatedClusters(),
        result.fragmentedClusters(),
        result.compressedClusters(),
        result.imageEndOffset());
  }

  private static Map<String, Long> counts(long... values) {
    Map<String, Long> counts = new LinkedHashMap<>();
    for (int i = 0; i < values.length; i++) {
      counts.put(FIELDS.get(i), values[i]);
    }
    return counts;
  }

  /** Returns what qemu-img counts in a file. */
  static Map<String, Long> qemuCounts(Path file) {
    return qemuCounts(QemuImg.check(file).output());
  }

  /**
   * Returns what qemu-img counted.
   *
   * @param output of {@code check --output=json}; what is 0 is not in there
   */
  static Map<String, Long> qemuCounts(String output) {
    assertThat(output).contains("\"filename\"");
    return counts(FIELDS.stream().mapToLong(field -> number(output, field)).toArray());
  }

  /** Returns what a repair put right, by the names that qemu-img gives it. */
  static Map<String, Long> fixed(CheckResult result) {
    return fixed(result.corruptionsFixed(), result.leaksFixed());
  }

  /**
   * Returns what qemu-img has put right.
   *
   * @param output of {@code check -r --output=json}; what is 0 is not in there
   */
  static Map<String, Long> qemuFixed(String output) {
    return fixed(number(output, "corruptions-fixed"), number(output, "leaks-fixed"));
  }

  private static Map<String, Long> fixed(long corruptions, long leaks) {
    return Map.of("corruptions-fixed", corruptions, "leaks-fixed", leaks);
  }

  private static long number(String json, String key) {
    Matcher matcher = Pattern.compile('"' + key + "\": (\\d+)").matcher(json);
    return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
  }

  /** Returns whether nothing is wrong but, at most, leaks. */
  boolean isConsistent() {
    return result.checkErrors() == 0 && result.corruptions() == 0;
  }

  List<String> texts() {
    return findings.stream().map(CheckFinding::text).toList();
  }
}
