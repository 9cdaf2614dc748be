// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import io.blkmount.block.bytes.HostName;
import io.blkmount.fuse.MountOptions;
import io.blkmount.fuse.NativeStrings;
import java.util.ArrayList;
import java.util.List;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/** The command line that libfuse is set up with. */
final class LibfuseArguments {
  /** The most that libfuse 2 takes in one request, in bytes. */
  static final int MAX_TRANSFER = 128 * 1024;

  /** How many readahead and asynchronous requests the kernel sends at once. */
  static final int MAX_BACKGROUND = 64;

  private static final int CONGESTION_THRESHOLD = MAX_BACKGROUND * 3 / 4;

  private final List<String> arguments;

  LibfuseArguments(String mountPoint, MountOptions options) {
    arguments = List.of("blkmount", mountPoint, "-f", "-o", String.join(",", words(options)));
  }

  int count() {
    return arguments.size();
  }

  /** Returns {@code argv}: pointers to strings, then null. The pointers live as long as it does. */
  Pointer toNative(Runtime runtime) {
    return NativeStrings.vector(runtime, arguments.stream().map(HostName::encode).toList());
  }

  List<String> asList() {
    return arguments;
  }

  private static List<String> words(MountOptions options) {
    List<String> words = new ArrayList<>();
    words.add("fsname=" + escaped(options.fsName()));
    words.add("subtype=blkmount");
    words.add("nosuid,nodev,default_permissions,use_ino");
    words.add("big_writes,max_read=" + MAX_TRANSFER + ",max_write=" + MAX_TRANSFER);
    words.add("max_background=" + MAX_BACKGROUND);
    words.add("congestion_threshold=" + CONGESTION_THRESHOLD);
    // O_TRUNC comes with open, where it can be told from truncate(2) to length 0.
    words.add("atomic_o_trunc");
    // The image is locked and every change comes through this mount, so the kernel's pages stay
    // right from one open to the next.
    words.add("kernel_cache");
    if (options.readOnly()) {
      words.add("ro");
    }
    if (options.allowOther()) {
      words.add("allow_other");
    }
    words.addAll(options.extra());
    return words;
  }

  /** Hides commas and backslashes from the option parser. */
  private static String escaped(String value) {
    return value.replace("\\", "\\\\").replace(",", "\\,");
  }
}
