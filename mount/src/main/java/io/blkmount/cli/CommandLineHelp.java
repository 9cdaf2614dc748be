// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

/** What {@code --help} prints. */
final class CommandLineHelp {
  private static final int WIDTH = 80;
  private static final int DESCRIPTION_COLUMN = 29;
  private static final String CONTINUED = " ".repeat(DESCRIPTION_COLUMN + 2);

  private static final String BEGINNING =
      """
      Usage: blkmount [options] IMAGE... MOUNTPOINT
             blkmount --unmount [--lazy] MOUNTPOINT
             blkmount --demo DIR

      Shows disk images (qcow2 chains, raw files, block devices) as flat raw files.
      An empty directory as MOUNTPOINT shows IMAGE-NAME.raw for each image; a regular
      file as MOUNTPOINT becomes the disk itself. The command returns when the mount
      answers; a server in the background goes on until the mount is unmounted.
      """;

  private static final String END =
      """

      Examples:
        blkmount disk.qcow2 /mnt/disk           use /mnt/disk/disk.raw, then
        blkmount --unmount /mnt/disk            flush, close, release the locks
        blkmount -r --image-opts driver=raw,file.filename=a.img /mnt/a

      Exit codes:
        0  mounted, or unmounted; of a server: everything is flushed and closed
        1  refused or failed, said in one line; of a server: the last flush failed,
           or open files were cut off
        2  the command line makes no sense
      """;

  private CommandLineHelp() {}

  static String text() {
    StringBuilder text = new StringBuilder(BEGINNING);
    for (Option.Section section : Option.Section.values()) {
      text.append('\n').append(section.title()).append(":\n");
      for (Option option : Option.values()) {
        if (option.section() == section) {
          append(option, text);
        }
      }
    }
    return text.append(END).toString();
  }

  private static void append(Option option, StringBuilder text) {
    String indent = option.form().startsWith("--") ? "      " : "  ";
    StringBuilder line = new StringBuilder(indent).append(option.form());
    line.append(" ".repeat(DESCRIPTION_COLUMN - 1 - line.length()));
    for (String word : option.description().split(" ")) {
      if (line.length() + 1 + word.length() > WIDTH) {
        text.append(line).append('\n');
        line = new StringBuilder(CONTINUED).append(word);
      } else {
        line.append(' ').append(word);
      }
    }
    text.append(line).append('\n');
  }
}
