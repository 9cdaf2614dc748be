// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import io.blkmount.block.backend.BackendOptions;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.Amendable;
import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.graph.BackingChain;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.open.ImageAmender;
import io.blkmount.block.open.ImageChecker;
import io.blkmount.block.open.ImageCreator;
import io.blkmount.block.open.ImageOpener;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.open.OpenedImage;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.time.InstantSource;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The way in.
 *
 * <pre>{@code
 * try (BlockBackend disk = BlockLayer.open(OpenOptions.of("disk.qcow2").withReadOnly(true))) {
 *   ByteBuffer firstSector = ByteBuffer.allocateDirect(512);
 *   disk.read(0, firstSector);
 * }
 * }</pre>
 */
public final class BlockLayer {
  private static final System.Logger LOG = System.getLogger(BlockLayer.class.getName());

  private BlockLayer() {}

  /**
   * Opens an image and everything below it.
   *
   * @param options which image and how
   * @return the disk; the caller closes it
   * @throws IOException if anything of the chain cannot be opened; nothing stays open then
   */
  public static BlockBackend open(OpenOptions options) throws IOException {
    OpenedImage opened = ImageOpener.open(options);
    try {
      return backend(opened, options);
    } catch (IOException | RuntimeException | Error e) {
      try (BlockGraph graph = opened.graph()) {
        throw e;
      }
    }
  }

  private static BlockBackend backend(OpenedImage opened, OpenOptions options) throws IOException {
    InstantSource clock = InstantSource.system();
    String name = options.image();
    BackendOptions shown =
        new BackendOptions(
            name == null ? opened.image().imageName() : name,
            opened.image().driverName(),
            options.cache().flushAfterWrite(),
            options.resizable(),
            opened.hostFile() == null ? clock.millis() * 1_000_000L : opened.modifiedNanos(),
            Lending.of(opened, options));
    BlockBackend disk = new BlockBackend(opened.graph(), opened.top(), shown, clock);
    long length = disk.length();
    LOG.log(
        Level.INFO,
        () ->
            "opened \""
                + HostName.printable(disk.imageName())
                + "\": "
                + disk.format()
                + ", "
                + length
                + " bytes, "
                + BackingChain.from(opened.top()).depth()
                + " layers, "
                + (disk.writable() ? "writable" : "read-only"));
    return disk;
  }

  /**
   * Creates an image, overwriting what the name held.
   *
   * @param name where; a file name, {@code file:NAME} or {@code host_device:NAME}
   * @param format driver name, such as {@code qcow2} or {@code raw}
   * @param options length, backing file and the driver's own options; a negative length means the
   *     backing file's
   * @throws IOException if it cannot be created
   */
  public static void create(String name, String format, CreateOptions options) throws IOException {
    ImageCreator.create(name, format, options);
  }

  /**
   * Checks an image and changes nothing.
   *
   * @param name which
   * @param format driver name, or null to probe
   * @param findings told of what is wrong
   * @throws IOException with {@code NOT_SUPPORTED} if the format has nothing to check
   */
  public static CheckResult check(
      String name, @Nullable String format, Consumer<CheckFinding> findings) throws IOException {
    return ImageChecker.check(name, format, findings);
  }

  /**
   * Checks an image and puts right what can be; guest data that can be read is never lost.
   *
   * @param name which; nobody else may have it open
   * @param format driver name, or null to probe
   * @param mode how much is put right
   * @param findings told of what was wrong
   * @return what is left, and what was done
   * @throws IOException as for {@link #check}, or if the image cannot be written
   */
  public static CheckResult repair(
      String name, @Nullable String format, RepairMode mode, Consumer<CheckFinding> findings)
      throws IOException {
    return ImageChecker.repair(name, format, mode, findings);
  }

  /**
   * Changes properties of an image that were chosen when it was made, such as the version of its
   * format or the name of its backing file. A crash leaves it as it was or as wanted.
   *
   * @param name which; nobody else may have it open
   * @param format driver name, or null to probe
   * @param values what to change, by the names of {@code qemu-img amend -o}
   * @throws IOException as for {@link ImageAmender#amend}; nothing has changed then, unless the
   *     host failed
   */
  public static void amend(String name, @Nullable String format, Map<String, String> values)
      throws IOException {
    ImageAmender.amend(name, format, values, Amendable.Secrets.NONE);
  }
}
