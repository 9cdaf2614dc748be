// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;

/** What {@code --help} prints. */
final class CommandLineHelp {
  private static final String[] SYNOPSIS = {
    "blkmount [options] IMAGE... MOUNTPOINT",
    "       blkmount --unmount [--lazy] MOUNTPOINT",
    "       blkmount --demo DIR"
  };

  private static final String[] DESCRIPTION = {
    "",
    "Shows disk images (qcow2 chains, raw files, block devices) as flat raw files.",
    "An empty directory as MOUNTPOINT shows IMAGE-NAME.raw for each image; a regular",
    "file as MOUNTPOINT becomes the disk itself. The command returns when the mount",
    "answers; a server in the background goes on until the mount is unmounted.",
    ""
  };

  private static final String[] FOOTER = {
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
  };

  private CommandLineHelp() {}

  static String text() {
    CommandSpec command = CommandSpec.create();
    command
        .usageMessage()
        .sortOptions(false)
        .customSynopsis(SYNOPSIS)
        .description(DESCRIPTION)
        .footer(FOOTER);
    for (Option.Section section : Option.Section.values()) {
      command.addArgGroup(group(section));
    }
    return new CommandLine(command).getUsageMessage(Ansi.OFF);
  }

  private static ArgGroupSpec group(Option.Section section) {
    ArgGroupSpec.Builder group =
        ArgGroupSpec.builder()
            .validate(false)
            .order(section.ordinal())
            .heading((section.ordinal() == 0 ? "" : "%n") + section.title() + ":%n");
    for (Option option : Option.values()) {
      if (option.section() == section) {
        group.addArg(option.spec());
      }
    }
    return group.build();
  }
}
