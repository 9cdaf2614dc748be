// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * A repair of an image in memory, held to its promises: what it says is left a check finds, too,
 * and a second repair has nothing to write.
 *
 * @param result of the repair
 * @param findings what it said
 * @param left what a check says afterwards
 * @param content the image afterwards
 */
record RepairRun(
    CheckResult result, List<CheckFinding> findings, List<String> left, PagedBytes content) {
  static RepairRun of(PagedBytes image, RepairMode mode) throws IOException {
    RepairRun run = once(image, mode);
    CheckRun check = CheckRun.of(run.content);
    assertThat(check.result().withFixed(run.result.corruptionsFixed(), run.result.leaksFixed()))
        .as("what is left: " + check.texts() + ", said " + run.texts())
        .isEqualTo(run.result);
    assertIsIdle(run.content, mode);
    return new RepairRun(run.result, run.findings, check.texts(), run.content);
  }

  private static RepairRun once(PagedBytes image, RepairMode mode) throws IOException {
    MemoryInstance host = MemoryInstance.file(image.copy(), 1);
    List<CheckFinding> findings = new ArrayList<>();
    CheckResult result =
        new Qcow2Driver().repair("test.qcow2", new MemoryChild(host), mode, findings::add);
    return new RepairRun(result, findings, List.of(), host.content());
  }

  private static void assertIsIdle(PagedBytes image, RepairMode mode) throws IOException {
    RecordingInstance host = new RecordingInstance(MemoryInstance.file(image.copy(), 1));
    List<CheckFinding> findings = new ArrayList<>();
    CheckResult again =
        new Qcow2Driver().repair("test.qcow2", new MemoryChild(host), mode, findings::add);
    assertThat(host.calls().stream().filter(call -> call.kind() == Kind.WRITE))
        .as("writes of a second repair, " + again + " " + findings)
        .isEmpty();
    assertThat(again.corruptionsFixed() + again.leaksFixed()).isZero();
  }

  List<String> texts() {
    return findings.stream().map(CheckFinding::text).toList();
  }
}
