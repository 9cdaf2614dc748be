// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A start that cannot succeed: one line that names the file and what is wrong, nothing changed. */
final class BadInputTest {
  @RegisterExtension final Workbench bench = new Workbench();

  private Path mountPoint;
  private Path image;

  @BeforeEach
  void makeAnImageAndAMountPoint() throws IOException {
    mountPoint = Files.createDirectory(bench.path("mnt"));
    image = bench.qcow2("disk.qcow2", "1M");
  }

  @Test
  void aMissingImage() throws IOException {
    requireRefused(bench.path("none.qcow2"), "no such file");
  }

  @Test
  void aDirectory() throws IOException {
    requireRefused(Files.createDirectory(bench.path("folder")), "directory");
  }

  @Test
  void aFifo() throws IOException {
    Shell.run("mkfifo", bench.path("fifo")).requireSuccess();

    requireRefused(bench.path("fifo"), "");
  }

  @Test
  void anEmptyQcow2File() throws IOException {
    requireRefused(Files.createFile(bench.path("empty.qcow2")), "", "-f", "qcow2");
  }

  @Test
  void aTruncatedQcow2Header() throws IOException {
    Path cut = Files.write(bench.path("cut.qcow2"), Arrays.copyOf(Files.readAllBytes(image), 40));

    requireRefused(cut, "header");
  }

  @Test
  void aFormatThatDoesNotMatch() throws IOException {
    Path raw = bench.randomFile("disk.img", 1 << 20, 1);

    requireRefused(raw, "qcow2", "-f", "qcow2");
  }

  @Test
  void anUnknownFormat() throws IOException {
    requireRefused(image, "nonsense", "-f", "nonsense");
  }

  @Test
  void aMissingBackingFile() throws IOException {
    bench.randomFile("base.raw", 4096, 1);
    Path top = bench.overlay("top.qcow2", "base.raw", "raw");
    Files.delete(bench.path("base.raw"));

    String line = requireRefused(top, "no such file");

    assertThat(line).contains("base.raw");
  }

  @Test
  void aBackingFileOfTheWrongFormat() throws IOException {
    bench.randomFile("base.raw", 4096, 1);
    Path top = bench.overlay("top.qcow2", "base.raw", "raw");
    QemuImg.img("rebase", "-q", "-u", "-b", "base.raw", "-F", "qcow2", top);

    assertThat(requireRefused(top, "qcow2")).contains("base.raw");
  }

  @Test
  void anUnknownIncompatibleFeatureIsNamed() throws IOException {
    byte[] bytes = Files.readAllBytes(image);
    bytes[72] = (byte) 0x40; // bit 62 of the incompatible features
    Path odd = Files.write(bench.path("odd.qcow2"), bytes);

    requireRefused(odd, "62");
  }

  @Test
  void anInternalSnapshotThatIsNotThere() throws IOException {
    QemuImg.img("snapshot", "-c", "first", image);

    requireRefused(image, "second", "--internal-snapshot=second");
    bench.mount("--internal-snapshot=first", image);
  }

  @Test
  void anImageThatTheUserMayNotWrite() throws IOException {
    Path given = Files.createDirectory(bench.path("given"));
    Files.copy(image, given.resolve("disk.qcow2"));
    Shell.bash(
        "chown -R nobody $1 $2; chmod 711 $3; chmod 444 $1/disk.qcow2",
        given,
        mountPoint,
        bench.folder());

    Shell.Result result =
        Shell.run(
            "setpriv",
            "--reuid=nobody",
            "--clear-groups",
            Project.launcher(),
            given.resolve("disk.qcow2"),
            mountPoint);

    requireOneLine(result, given.resolve("disk.qcow2"));
    assertThat(result.errors()).contains("-r");
  }

  @Test
  void aMountPointThatIsMissing() throws IOException {
    Files.delete(mountPoint);

    requireOneLine(Shell.run(Project.launcher(), image, mountPoint), mountPoint);
    assertThat(mountPoint).doesNotExist();
  }

  @Test
  void aMountPointThatIsNotEmpty() throws IOException {
    Files.createFile(mountPoint.resolve("file"));

    Shell.Result result = Shell.run(Project.launcher(), image, mountPoint);

    requireOneLine(result, mountPoint);
    assertThat(result.errors()).contains("not empty");
  }

  @Test
  void aFileAsMountPointThatIsNotEmpty() throws IOException {
    Path file = Files.writeString(bench.path("file"), "somebody's");

    Shell.Result result = Shell.run(Project.launcher(), image, file);

    requireOneLine(result, file);
    assertThat(result.errors()).contains("not empty");
  }

  @Test
  void aMountPointThatIsInUse() throws IOException {
    MountedImage first = bench.mount(bench.qcow2("other.qcow2", "1M"));

    Shell.Result result = Shell.run(Project.launcher(), image, first.mountPoint());

    requireOneLine(result, first.mountPoint());
    assertThat(first.disk()).hasSize(1 << 20);
  }

  @Test
  void twoImagesOnAFile() throws IOException {
    Path file = Files.createFile(bench.path("file"));
    Path other = bench.qcow2("other.qcow2", "1M");

    Shell.Result result = Shell.run(Project.launcher(), image, other, file);

    assertThat(result.exitCode()).isBetween(1, 2);
    assertThat(result.errorLines()).hasSize(1);
  }

  @Test
  void anImageInsideItsOwnMountPoint() throws IOException {
    Files.createDirectories(bench.path("in"));
    Path inside = bench.qcow2("in/disk.qcow2", "1M");

    Shell.Result result = Shell.run(Project.launcher(), inside, bench.path("in"));

    requireOneLine(result, bench.path("in"));
  }

  @Test
  void theImageItselfAsMountPoint() throws IOException {
    String before = Contents.digest(image);

    Shell.Result result = Shell.run(Project.launcher(), image, image);

    requireOneLine(result, image);
    assertThat(Contents.digest(image)).isEqualTo(before);
  }

  @Test
  void aMissingLibraryIsSaidWithTheCommandThatInstallsIt() {
    Shell.Result result =
        inOwnMountNamespace(
            """
            folder=$(dirname "$(ldconfig -p | awk '/libfuse.so.2 / {print $NF; exit}')")
            mount -t tmpfs tmpfs "$3"
            mkdir "$3/upper" "$3/work"
            mount -t overlay -o "lowerdir=$folder,upperdir=$3/upper,workdir=$3/work" overlay "$folder"
            rm "$folder"/libfuse.so.2*
            umount -l "$3"
            exec "$1" --fuse jnr-fuse "$2" "$3"
            """,
            image,
            mountPoint);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errorLines()).as(result.toString()).hasSize(1);
    assertThat(result.errors()).contains("libfuse.so.2", "apt-get install libfuse2");
  }

  @ParameterizedTest(name = "{0} bytes")
  @ValueSource(ints = {0, 30_000})
  void aLibraryThatIsNoneIsSaid(int length) throws IOException {
    Shell.Result result =
        inOwnMountNamespace(
            """
            library=$(ldconfig -p | awk '/libfuse.so.2 / {print $NF; exit}')
            mount --bind "$4" "$(readlink -f "$library")"
            exec "$1" --fuse jnr-fuse "$2" "$3"
            """,
            image,
            mountPoint,
            bench.randomFile("no-library", length, 1));

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errorLines()).as(result.toString()).hasSize(1);
    assertThat(result.errors()).contains("libfuse.so.2", "apt-get install libfuse2");
  }

  @Test
  void aHostWithoutAPlaceToUnpackNativeCodeIsSaid() {
    Shell.Result result =
        inOwnMountNamespace(
            """
            mount --bind /tmp /tmp
            mount -o remount,bind,ro /tmp
            mount -o remount,bind,ro /
            BLKMOUNT_JAVA_OPTIONS=-Djffi.boot.library.path= exec "$1" "$2" "$3"
            """,
            image,
            mountPoint);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errorLines()).as(result.toString()).hasSize(1);
    assertThat(result.errors()).contains("\"/tmp\"", "writable");
  }

  /** Native code lies beside our own, unpacked. */
  @Test
  void aMountNeedsNoFolderForTemporaryFiles() throws IOException {
    bench.mount(image).unmount(); // makes what is made once

    Shell.Result result =
        inOwnMountNamespace(
            """
            mount --bind /tmp /tmp
            mount -o remount,bind,ro /tmp
            mount -o remount,bind,ro /
            "$1" "$4" -r --log-file /dev/null "$2" "$3"
            "$1" --unmount "$3"
            """,
            image,
            mountPoint,
            bench.fuseOption());

    assertThat(result.exitCode()).as(result.toString()).isZero();
  }

  @Test
  void aCommandLineThatMakesNoSenseIsExitCodeTwo() {
    for (List<Object> words :
        List.<List<Object>>of(
            List.of("--nonsense", image, mountPoint),
            List.of(image),
            List.of("--cache=nonsense", image, mountPoint),
            List.of("--discard=nonsense", image, mountPoint),
            List.of("--threads=none", image, mountPoint))) {
      List<Object> command = new ArrayList<>(List.of(Project.launcher()));
      command.addAll(words);

      Shell.Result result = Shell.run(command.toArray());

      assertThat(result.exitCode()).as(result.toString()).isEqualTo(2);
      assertThat(result.errors()).isNotBlank();
      assertThat(MountTable.contains(mountPoint)).isFalse();
    }
  }

  /** Runs a script with the launcher as $1; what it mounts is seen by nobody else. */
  private static Shell.Result inOwnMountNamespace(String script, Object... arguments) {
    List<Object> command = new ArrayList<>(List.of("unshare", "--mount", "bash", "-euc", script));
    command.addAll(List.of("bash", Project.launcher()));
    command.addAll(Arrays.asList(arguments));
    return Shell.run(command.toArray());
  }

  /** Fails unless the image is refused in one line that says {@code why}; returns the line. */
  private String requireRefused(Path refused, String why, Object... options) throws IOException {
    boolean isFile = Files.isRegularFile(refused);
    String before = isFile ? Contents.digest(refused) : "";
    List<Object> command = new ArrayList<>(List.of(Project.launcher()));
    command.addAll(Arrays.asList(options));
    command.addAll(List.of(refused, mountPoint));

    Shell.Result result = Shell.run(command.toArray());

    requireOneLine(result, refused);
    assertThat(result.errors()).containsIgnoringCase(why);
    assertThat(isFile ? Contents.digest(refused) : "").isEqualTo(before);
    return result.errors();
  }

  private void requireOneLine(Shell.Result result, Path named) {
    assertThat(result.exitCode()).as(result.toString()).isEqualTo(1);
    assertThat(result.errorLines()).as(result.toString()).hasSize(1);
    assertThat(result.errors()).contains(named.toString());
    assertThat(MountTable.contains(mountPoint)).isFalse();
  }
}
