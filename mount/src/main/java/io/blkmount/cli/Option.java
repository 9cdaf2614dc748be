// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import picocli.CommandLine.Model.OptionSpec;

/**
 * The options there are, in the order of the help. They are no annotated fields, since picocli
 * finds those by reflection: every mount would wait for it, about twice as long as a JVM takes to
 * start.
 */
enum Option {
  FORMAT(
      Section.IMAGE,
      "-f, --format=FMT",
      "the image's format, such as qcow2 or raw; probed if not given"),
  IMAGE_OPTS(
      Section.IMAGE,
      "--image-opts",
      "each IMAGE is QEMU's dotted syntax: driver=qcow2,file.filename=disk.qcow2"),
  READ_ONLY(
      Section.IMAGE, "-r, --read-only", "never write, neither to the image nor through the mount"),
  SNAPSHOT(
      Section.IMAGE, "--snapshot", "writes go to a temporary overlay that is gone at the unmount"),
  INTERNAL_SNAPSHOT(
      Section.IMAGE,
      "--internal-snapshot=ID",
      "show, read-only, the snapshot inside the image that has this id or name"),
  COPY_ON_READ(
      Section.IMAGE, "--copy-on-read", "what is read from a backing file is stored in the image"),
  CACHE(
      Section.IMAGE,
      "--cache=MODE",
      "writeback (default), none, writethrough, directsync or unsafe"),
  DISCARD(
      Section.IMAGE,
      "--discard=MODE",
      "ignore (default) or unmap: discarded ranges give their space back"),
  DETECT_ZEROES(
      Section.IMAGE,
      "--detect-zeroes=MODE",
      "off (default), on or unmap: writes of zeros become zero requests"),
  COMPRESS(Section.IMAGE, "--compress", "what is written is stored compressed, in whole clusters"),
  RESIZABLE(Section.IMAGE, "--resizable", "the disk's length changes as that of a plain file does"),
  SECRET_FILE(
      Section.IMAGE,
      "--secret-file=FILE",
      "holds the key of encrypted images; else it is asked for on the terminal"),
  FORCE_SHARE(
      Section.IMAGE,
      "-U, --force-share",
      "read-only beside another user of the image; takes no locks"),

  MOUNT_OPTIONS(
      Section.MOUNT,
      "-o=OPTION,...",
      "as mount(8): ro, rw, allow_other, uid=N, gid=N, umask=OCTAL, noexec;%n"
          + "words of fstab that mean nothing here are accepted"),

  FUSE(
      Section.SERVER,
      "--fuse=WAY",
      "channel (straight to the kernel), jnr-fuse (libfuse 2) or auto (default)"),
  PASSTHROUGH(
      Section.SERVER,
      "--passthrough=WHEN",
      "auto (default), on or off: the kernel itself reads and writes a raw file"),
  SPIN(
      Section.SERVER,
      "--spin=MICROS",
      "how long a thread looks for a next request before it sleeps; 0 for never"),
  THREADS(Section.SERVER, "--threads=N", "threads that wait for requests; more come with the load"),
  FOREGROUND(Section.SERVER, "--foreground", "stay on the terminal until the end"),
  PID_FILE(Section.SERVER, "--pid-file=FILE", "holds the server's process id while it runs"),
  LOG_FILE(
      Section.SERVER, "--log-file=FILE", "where the server's messages go; syslog if not given"),
  VERBOSE(Section.SERVER, "-v", "more messages; -vv still more"),

  UNMOUNT(Section.OTHER, "--unmount", "unmount MOUNTPOINT; returns when the server has ended"),
  LAZY(
      Section.OTHER,
      "--lazy",
      "with --unmount: take the mount away now, the server ends with its last user"),
  DEMO(Section.OTHER, "--demo", "make a small image chain in DIR and mount it"),
  VERSION(Section.OTHER, "-V, --version", "print the version"),
  HELP(Section.OTHER, "-h, --help", "print this");

  /** What options are about. */
  enum Section {
    IMAGE("Image"),
    MOUNT("Mount"),
    SERVER("Server"),
    OTHER("Other commands");

    private final String title;

    Section(String title) {
      this.title = title;
    }

    String title() {
      return title;
    }
  }

  private final Section section;
  private final String form;
  private final String description;

  /**
   * Creates an option.
   *
   * @param form as the help writes it: names, and what its value is called if it takes one
   */
  Option(Section section, String form, String description) {
    this.section = section;
    this.form = form;
    this.description = description;
  }

  Section section() {
    return section;
  }

  /** Returns this option as picocli reads and prints it. */
  OptionSpec spec() {
    OptionSpec.Builder spec = OptionSpec.builder(names()).description(description);
    if (takesValue()) {
      spec.type(String.class).arity("1").paramLabel(form.substring(form.indexOf('=') + 1));
    } else {
      spec.type(boolean.class);
    }
    return spec.build();
  }

  private boolean takesValue() {
    return form.contains("=");
  }

  private String[] names() {
    return (takesValue() ? form.substring(0, form.indexOf('=')) : form).split(", ");
  }

  /** Returns the long name where there is one. */
  @Override
  public String toString() {
    String[] names = names();
    return names[names.length - 1];
  }
}
