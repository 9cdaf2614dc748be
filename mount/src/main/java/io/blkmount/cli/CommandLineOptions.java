// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The command line as it is written; {@link MountRequest} says what it means. */
@Command(
    name = "blkmount",
    sortOptions = false,
    sortSynopsis = false,
    usageHelpAutoWidth = false,
    customSynopsis = {
      "blkmount [options] IMAGE... MOUNTPOINT",
      "       blkmount --unmount [--lazy] MOUNTPOINT",
      "       blkmount --demo DIR"
    },
    description = {
      "",
      "Shows disk images (qcow2 chains, raw files, block devices) as flat raw files.",
      "An empty directory as MOUNTPOINT shows IMAGE-NAME.raw for each image; a regular",
      "file as MOUNTPOINT becomes the disk itself. The command returns when the mount",
      "answers; a server in the background goes on until the mount is unmounted.",
      ""
    },
    footer = {
      "",
      "Examples:",
      "  blkmount disk.qcow2 /mnt/disk           use /mnt/disk/disk.raw, then",
      "  blkmount --unmount /mnt/disk            flush, close, release the locks",
      "  blkmount -r --image-opts driver=raw,file.filename=a.img /mnt/a",
      "",
      "Exit codes:",
      "  0  mounted, or unmounted; of a server: everything is flushed and closed",
      "  1  refused or failed, said in one line; of a server: the last flush failed,",
      "     or open files were cut off",
      "  2  the command line makes no sense"
    })
final class CommandLineOptions {
  @Parameters(arity = "0..*", hidden = true)
  List<String> operands = new ArrayList<>();

  @ArgGroup(validate = false, heading = "Image:%n")
  ImageChoices image = new ImageChoices();

  @ArgGroup(validate = false, heading = "%nMount:%n")
  MountChoices mount = new MountChoices();

  @ArgGroup(validate = false, heading = "%nServer:%n")
  ServerChoices server = new ServerChoices();

  @ArgGroup(validate = false, heading = "%nOther commands:%n")
  OtherCommands other = new OtherCommands();

  /** How images are opened. */
  static final class ImageChoices {
    @Option(
        names = {"-f", "--format"},
        paramLabel = "FMT",
        description = "the image's format, such as qcow2 or raw; probed if not given")
    @Nullable String format;

    @Option(
        names = "--image-opts",
        description = "each IMAGE is QEMU's dotted syntax: driver=qcow2,file.filename=disk.qcow2")
    boolean imageOpts;

    @Option(
        names = {"-r", "--read-only"},
        description = "never write, neither to the image nor through the mount")
    boolean readOnly;

    @Option(
        names = "--snapshot",
        description = "writes go to a temporary overlay that is gone at the unmount")
    boolean snapshot;

    @Option(
        names = "--copy-on-read",
        description = "what is read from a backing file is stored in the image")
    boolean copyOnRead;

    @Option(
        names = "--cache",
        paramLabel = "MODE",
        description = "writeback (default), none, writethrough, directsync or unsafe")
    @Nullable String cache;

    @Option(
        names = "--discard",
        paramLabel = "MODE",
        description = "ignore (default) or unmap: discarded ranges give their space back")
    @Nullable String discard;

    @Option(
        names = "--detect-zeroes",
        paramLabel = "MODE",
        description = "off (default), on or unmap: writes of zeros become zero requests")
    @Nullable String detectZeroes;

    @Option(
        names = "--resizable",
        description = "the disk's length changes as that of a plain file does")
    boolean resizable;

    @Option(
        names = {"-U", "--force-share"},
        description = "read-only beside another user of the image; takes no locks")
    boolean forceShare;
  }

  /** How the disk is shown. */
  static final class MountChoices {
    @Option(
        names = "-o",
        paramLabel = "OPTION,...",
        description = {
          "as mount(8): ro, rw, allow_other, uid=N, gid=N, umask=OCTAL, noexec;",
          "words of fstab that mean nothing here are accepted"
        })
    List<String> options = new ArrayList<>();
  }

  /** How the server runs. */
  static final class ServerChoices {
    @Option(
        names = "--fuse",
        paramLabel = "WAY",
        description = "channel (straight to the kernel), jnr-fuse (libfuse 2) or auto (default)")
    @Nullable String fuse;

    @Option(
        names = "--passthrough",
        paramLabel = "WHEN",
        description = "auto (default), on or off: the kernel itself reads and writes a raw file")
    @Nullable String passthrough;

    @Option(
        names = "--spin",
        paramLabel = "MICROS",
        description = "how long a thread looks for a next request before it sleeps; 0 for never")
    @Nullable String spin;

    @Option(
        names = "--threads",
        paramLabel = "N",
        description = "threads that wait for requests; more come with the load")
    @Nullable String threads;

    @Option(names = "--foreground", description = "stay on the terminal until the end")
    boolean foreground;

    @Option(
        names = "--pid-file",
        paramLabel = "FILE",
        description = "holds the server's process id while it runs")
    @Nullable String pidFile;

    @Option(
        names = "--log-file",
        paramLabel = "FILE",
        description = "where the server's messages go; syslog if not given")
    @Nullable String logFile;

    @Option(names = "-v", description = "more messages; -vv still more")
    boolean[] verbose = {};
  }

  /** What is not a mount. */
  static final class OtherCommands {
    @Option(
        names = "--unmount",
        description = "unmount MOUNTPOINT; returns when the server has ended")
    boolean unmount;

    @Option(
        names = "--lazy",
        description = "with --unmount: take the mount away now, the server ends with its last user")
    boolean lazy;

    @Option(names = "--demo", description = "make a small image chain in DIR and mount it")
    boolean demo;

    @Option(
        names = {"-V", "--version"},
        description = "print the version")
    boolean version;

    @Option(
        names = {"-h", "--help"},
        description = "print this")
    boolean help;
  }
}
