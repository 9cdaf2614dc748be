// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;

/**
 * A folder for one test. What the test mounted or attached there is undone at its end, also when it
 * failed; then its failure shows the servers' logs.
 */
final class Workbench
    implements BeforeEachCallback, AfterEachCallback, TestExecutionExceptionHandler {
  private static final int LOG_SHOWN = 4_000;

  private final Path parent;
  private final String transport;
  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private final List<MountedImage> mounts = new ArrayList<>();
  private @Nullable Path folder;
  private int names;

  /** Works on the disk, and mounts as users do who do not say how. */
  Workbench() {
    this(Transports.usual());
  }

  /** Works on the disk, and mounts over a transport. */
  Workbench(String transport) {
    this(Path.of(System.getProperty("java.io.tmpdir")), transport);
  }

  private Workbench(Path parent, String transport) {
    this.parent = parent;
    this.transport = transport;
  }

  static Workbench inMemory() {
    return inMemory(Transports.usual());
  }

  /** Works in memory: for tests of much I/O that do not ask what a disk does. */
  static Workbench inMemory(String transport) {
    Path memory = Path.of("/dev/shm");
    return Files.isWritable(memory) ? new Workbench(memory, transport) : new Workbench(transport);
  }

  @Override
  public void beforeEach(ExtensionContext context) throws IOException {
    folder = Files.createTempDirectory(parent, "blkmount-test").toRealPath();
  }

  Path folder() {
    Path path = folder;
    if (path == null) {
      throw new IllegalStateException("no test runs");
    }
    return path;
  }

  Path path(String name) {
    return folder().resolve(name);
  }

  /** Makes a qcow2 image; {@code arguments} are more of {@code qemu-img create}. */
  Path qcow2(String name, String size, Object... arguments) {
    List<Object> all = new ArrayList<>(List.of("create", "-q", "-f", "qcow2"));
    all.addAll(Arrays.asList(arguments));
    all.addAll(List.of(path(name), size));
    QemuImg.img(all.toArray());
    return path(name);
  }

  /** Makes an overlay; a relative {@code backing} is looked up from the folder of the overlay. */
  Path overlay(String name, Object backing, String backingFormat, Object... arguments) {
    List<Object> all = new ArrayList<>(List.of("create", "-q", "-f", "qcow2"));
    all.addAll(List.of("-b", backing, "-F", backingFormat));
    all.addAll(Arrays.asList(arguments));
    all.add(path(name));
    QemuImg.img(all.toArray());
    return path(name);
  }

  /** Makes a file of random bytes. */
  Path randomFile(String name, int length, long seed) throws IOException {
    return Files.write(path(name), Contents.random(length, seed));
  }

  /**
   * Returns the option that mounts over the transport of the test, for those that mount themselves.
   */
  String fuseOption() {
    return "--fuse=" + transport;
  }

  /** Mounts on a new folder; the last of {@code arguments} is the image. */
  MountedImage mount(Object... arguments) throws IOException {
    return mountOn(Files.createDirectory(path("mnt" + names)), arguments);
  }

  MountedImage mountOn(Path mountPoint, Object... arguments) {
    Path files = path("server" + names++);
    return keep(MountedImage.start(files, mountPoint, withTransport(arguments)));
  }

  MountedImage mountInForeground(Object... arguments) throws IOException {
    Path mountPoint = Files.createDirectory(path("mnt" + names));
    Path files = path("server" + names++);
    return keep(MountedImage.startInForeground(files, mountPoint, withTransport(arguments)));
  }

  private List<Object> withTransport(Object... arguments) {
    List<Object> all = new ArrayList<>(List.of(fuseOption()));
    all.addAll(Arrays.asList(arguments));
    return all;
  }

  private MountedImage keep(MountedImage mount) {
    mounts.add(mount);
    return closing(mount);
  }

  LoopDevice attach(Path file, String... options) {
    return closing(LoopDevice.on(file, options));
  }

  /** Closes a thing at the end of the test, before those that were made earlier. */
  <T extends AutoCloseable> T closing(T thing) {
    open.push(thing);
    return thing;
  }

  /** Shows what the servers said when a test failed. */
  @Override
  public void handleTestExecutionException(ExtensionContext context, Throwable failure)
      throws Throwable {
    for (MountedImage mount : mounts) {
      String log = mount.log();
      String end = log.substring(Math.max(0, log.length() - LOG_SHOWN));
      failure.addSuppressed(new AssertionError("log of " + mount.mountPoint() + ":\n" + end));
    }
    throw failure;
  }

  @Override
  public void afterEach(ExtensionContext context) throws Exception {
    Throwable failure = null;
    while (!open.isEmpty()) {
      failure = close(open.pop(), failure);
    }
    mounts.clear();
    MountTable.below(folder()).forEach(left -> Shell.run("umount", "-l", left));
    deleteFolder();
    if (failure != null) {
      throw new AssertionError("cleaning up: " + failure.getMessage(), failure);
    }
  }

  private static @Nullable Throwable close(AutoCloseable thing, @Nullable Throwable failure) {
    try {
      thing.close();
    } catch (Exception | AssertionError e) {
      if (failure == null) {
        return e;
      }
      failure.addSuppressed(e);
    }
    return failure;
  }

  /** Other programs' names may be no text, so this is left to one that takes them as bytes. */
  private void deleteFolder() {
    Shell.run("rm", "-rf", "--one-file-system", folder()).requireSuccess();
  }
}
