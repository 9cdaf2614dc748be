// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.crypto.IterationTimer;
import io.blkmount.block.driver.Amendable;
import io.blkmount.block.driver.BlockDriver;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.Checkable;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.Encrypted;
import io.blkmount.block.driver.ProbeInput;
import io.blkmount.block.driver.RepairMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** The format qcow2, versions 2 and 3. */
public final class Qcow2Driver implements BlockDriver, Checkable, Amendable, Encrypted {
  private final Alarm clock;

  /** Creates the driver; it has no state. */
  public Qcow2Driver() {
    this(Alarm.SYSTEM);
  }

  /** Creates a driver that takes the time from {@code clock}. */
  Qcow2Driver(Alarm clock) {
    this.clock = clock;
  }

  @Override
  public String name() {
    return "qcow2";
  }

  /**
   * {@inheritDoc} The magic and a version of at least 2 are certain: version 1 is another format.
   */
  @Override
  public int probe(ProbeInput input) {
    ByteBuffer start = input.start();
    boolean ours =
        start.remaining() >= 8
            && start.getInt(start.position()) == Qcow2Header.MAGIC
            && start.getInt(start.position() + 4) >= 2;
    return ours ? 100 : 0;
  }

  @Override
  public DriverInstance open(DriverOptions options, ChildOpener children) throws IOException {
    return new Qcow2Opener(options, children).open(clock);
  }

  @Override
  public void create(ChildOpener.Child file, CreateOptions options) throws IOException {
    Qcow2Creator.create(file, options);
  }

  @Override
  public CheckResult check(String imageName, BlockIo file, Consumer<CheckFinding> findings)
      throws IOException {
    return Qcow2Check.check(imageName, file, findings);
  }

  @Override
  public void create(ChildOpener.Child file, CreateOptions options, ChildOpener children)
      throws IOException {
    Qcow2Creator.create(file, options, children);
  }

  @Override
  public CheckResult repair(
      String imageName, ChildOpener.Child file, RepairMode mode, Consumer<CheckFinding> findings)
      throws IOException {
    return Qcow2Repair.repair(imageName, file, mode, findings);
  }

  @Override
  public void amend(
      String imageName, ChildOpener.Child file, Map<String, String> values, Secrets secrets)
      throws IOException {
    Qcow2AmendOptions options = Qcow2AmendOptions.parse(values);
    if (options.key() != null) {
      options.key().run(Qcow2Keys.of(imageName, file, timer()), secrets);
    } else {
      new Qcow2Amender(imageName, file, options).run();
    }
  }

  @Override
  public List<Integer> activeKeySlots(String imageName, BlockIo file) throws IOException {
    return Qcow2Keys.of(imageName, file, timer()).active();
  }

  @Override
  public int addKey(String imageName, BlockIo file, byte[] key, byte[] newKey, long iterationMillis)
      throws IOException {
    return Qcow2Keys.of(imageName, file, timer()).add(key, newKey, iterationMillis);
  }

  @Override
  public void eraseKey(String imageName, BlockIo file, byte[] key) throws IOException {
    Qcow2Keys.of(imageName, file, timer()).erase(key);
  }

  @Override
  public void eraseKeySlot(String imageName, BlockIo file, int slot) throws IOException {
    Qcow2Keys.of(imageName, file, timer()).eraseSlot(slot);
  }

  private static IterationTimer timer() {
    return new IterationTimer(System::nanoTime);
  }
}
