// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.fuse.MountTable;
import io.blkmount.fuse.Unmounting;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Mounts a small chain in a temporary folder and unmounts it, so that the JVM can store the classes
 * that a mount loads in an archive. The launcher runs it; what fails here is of no matter.
 */
public final class WarmUp {
  /** Also the one that is taken only when asked for: it loads the most classes of all. */
  private static final List<String> TRANSPORTS = List.of("auto", "jnr-fuse");

  private static final long LENGTH = 1 << 20;
  private static final long LOOK_MILLIS = 5;

  private WarmUp() {}

  /**
   * Runs it.
   *
   * @param words a folder to put the native library of jffi into, where the launcher finds it: else
   *     each start unpacks it anew
   * @throws IOException if the host cannot make a temporary folder
   */
  public static void main(String[] words) throws IOException {
    unpackNativeLibrary(HostPath.of(words[0]));
    Path folder = Files.createTempDirectory("blkmount-warm-up");
    try {
      mount(HostPath.nameOf(folder));
    } finally {
      deleteAll(folder);
    }
    System.exit(ExitCode.DONE);
  }

  private static void unpackNativeLibrary(Path folder) throws IOException {
    String architecture = System.getProperty("os.arch").replace("amd64", "x86_64");
    String name = System.mapLibraryName("jffi-1.2");
    String resource = "/jni/" + architecture + "-" + System.getProperty("os.name") + "/" + name;
    try (@Nullable InputStream library = WarmUp.class.getResourceAsStream(resource)) {
      if (library != null) {
        Path draft = folder.resolve(name + ".new");
        Files.copy(library, draft, StandardCopyOption.REPLACE_EXISTING);
        Files.move(draft, folder.resolve(name), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  private static void mount(String folder) throws IOException {
    String top = folder + "/disk.qcow2";
    String mountPoint = folder + "/mnt";
    BlockLayer.create(folder + "/base.img", "raw", CreateOptions.ofLength(LENGTH));
    BackingReference base = new BackingReference("base.img", "raw");
    BlockLayer.create(top, "qcow2", new CreateOptions(LENGTH, base, Map.of()));
    Files.createDirectory(HostPath.of(mountPoint));
    for (String transport : TRANSPORTS) {
      mount(top, mountPoint, "--fuse", transport, "--log-file", folder + "/log");
    }
  }

  private static void mount(String image, String mountPoint, String... options) {
    Thread user = new Thread(() -> useAndUnmount(mountPoint), "user");
    user.setDaemon(true); // waits for ever for a mount that fails
    user.start();
    List<String> words = new ArrayList<>(List.of(options));
    words.addAll(List.of(image, mountPoint));
    Main.run(words, WorkingDirectory.ofCaller(), Terminal.ofProcess());
  }

  private static void useAndUnmount(String mountPoint) {
    try {
      while (MountTable.read().at(mountPoint) == null) {
        Thread.sleep(LOOK_MILLIS);
      }
      use(HostPath.of(mountPoint + "/disk.raw"));
    } catch (IOException | InterruptedException stillToBeUnmounted) {
      // Whatever was not loaded here is loaded by those who need it.
    }
    try {
      Unmounting.detach(mountPoint);
    } catch (IOException e) {
      System.exit(ExitCode.FAILED);
    }
  }

  private static void use(Path disk) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocateDirect(4096);
    try (FileChannel file =
        FileChannel.open(disk, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      file.read(bytes, 0);
      file.write(bytes.flip(), 0);
      file.force(true);
    }
  }

  private static void deleteAll(Path folder) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }
}
