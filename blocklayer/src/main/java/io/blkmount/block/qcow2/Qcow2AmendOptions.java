// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static io.blkmount.block.qcow2.Qcow2CreateOptions.invalid;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What is to change of an image, from the options of {@code qemu-img amend -o}; null for what stays
 * as it is.
 *
 * @param version 2 or 3
 * @param refcountOrder 0 to 6
 * @param lazyRefcounts whether refcounts may lag behind
 * @param backingFile name of the backing file, empty for none
 * @param backingFormat driver name of the backing file
 * @param dataFile name of the external data file, empty for none in the header
 * @param rawData whether that file is the disk, byte for byte, at any time
 * @param key what happens to a key slot; then nothing else changes
 */
record Qcow2AmendOptions(
    @Nullable Integer version,
    @Nullable Integer refcountOrder,
    @Nullable Boolean lazyRefcounts,
    @Nullable String backingFile,
    @Nullable String backingFormat,
    @Nullable String dataFile,
    @Nullable Boolean rawData,
    @Nullable KeyAmendment key) {
  static final String BACKING_FILE = "backing_file";
  static final String BACKING_FORMAT = "backing_fmt";
  static final String SIZE = "size";

  private static final Set<String> FOR_NEW_IMAGES =
      Set.of(
          Qcow2CreateOptions.CLUSTER_SIZE,
          Qcow2CreateOptions.COMPRESSION_TYPE,
          Qcow2CreateOptions.EXTENDED_L2,
          Qcow2CreateOptions.PREALLOCATION,
          "encryption",
          "encrypt.format",
          "encrypt.cipher-alg",
          "encrypt.cipher-mode",
          "encrypt.hash-alg",
          "encrypt.ivgen-alg",
          "encrypt.ivgen-hash-alg",
          "encrypt.key-secret",
          "extent_size_hint",
          "nocow");

  /**
   * Reads the options.
   *
   * @param values by qemu-img's names
   * @throws BlockException {@code INVALID} for a name or a value that there is not, {@code
   *     NOT_SUPPORTED} for what an image keeps as it was made
   */
  static Qcow2AmendOptions parse(Map<String, String> values) throws BlockException {
    Map<String, String> rest = new HashMap<>(values);
    refuseFixed(rest);
    KeyAmendment key = KeyAmendment.take(rest);
    if (key != null && !rest.isEmpty()) {
      String other = Qcow2CreateOptions.sorted(rest.keySet()).get(0);
      if (other.startsWith(NewEncryption.PREFIX)) {
        throw unknown(other);
      }
      throw invalid(other, "it cannot change together with a key slot");
    }
    Qcow2AmendOptions options =
        new Qcow2AmendOptions(
            rest.containsKey(Qcow2CreateOptions.COMPAT) ? version(rest) : null,
            rest.containsKey(Qcow2CreateOptions.REFCOUNT_BITS) ? refcountOrder(rest) : null,
            takeSwitch(rest, Qcow2CreateOptions.LAZY_REFCOUNTS),
            takeName(rest, BACKING_FILE),
            takeName(rest, BACKING_FORMAT),
            takeName(rest, Qcow2CreateOptions.DATA_FILE),
            takeSwitch(rest, Qcow2CreateOptions.DATA_FILE_RAW),
            key);
    for (String name : Qcow2CreateOptions.sorted(rest.keySet())) {
      throw unknown(name);
    }
    return options;
  }

  private static BlockException unknown(String name) {
    return new BlockException(
        BlockError.INVALID, "qcow2 has no option " + HostName.printable(name) + " to amend");
  }

  private static void refuseFixed(Map<String, String> rest) throws BlockException {
    for (String name : Qcow2CreateOptions.sorted(rest.keySet())) {
      if (FOR_NEW_IMAGES.contains(name)) {
        throw new BlockException(
            BlockError.NOT_SUPPORTED, "qcow2 option " + name + ": it is only for new images");
      }
      if (name.equals(SIZE)) {
        throw new BlockException(
            BlockError.NOT_SUPPORTED, "qcow2 option size: a disk is resized while it is open");
      }
    }
  }

  private static int version(Map<String, String> rest) throws BlockException {
    return Qcow2CreateOptions.version(rest, 0);
  }

  private static int refcountOrder(Map<String, String> rest) throws BlockException {
    return Qcow2CreateOptions.refcountOrder(rest.remove(Qcow2CreateOptions.REFCOUNT_BITS));
  }

  private static @Nullable Boolean takeSwitch(Map<String, String> rest, String name)
      throws BlockException {
    return rest.containsKey(name) ? Boolean.valueOf(Qcow2CreateOptions.isOn(rest, name)) : null;
  }

  private static @Nullable String takeName(Map<String, String> rest, String name)
      throws BlockException {
    String text = rest.remove(name);
    if (text != null && text.indexOf('\0') >= 0) {
      throw invalid(name, "a name without NUL is needed");
    }
    return text;
  }
}
