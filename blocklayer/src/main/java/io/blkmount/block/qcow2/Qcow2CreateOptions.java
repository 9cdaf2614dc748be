// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.SizeText;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The shape of a new image, from the options of {@code qemu-img create -o}.
 *
 * @param version 2 or 3
 * @param clusterBits 9 to 21
 * @param refcountOrder 0 to 6
 * @param lazyRefcounts whether refcounts may lag behind
 * @param compressionType of {@link Qcow2Header}
 * @param extendedL2 whether L2 entries say where each subcluster is
 * @param dataFile name of the file that guest data is stored in; null for the image file
 * @param rawData whether that file is the disk, byte for byte, at any time
 * @param encryption how the disk is encrypted
 * @param preallocation what the disk is given beforehand
 */
record Qcow2CreateOptions(
    int version,
    int clusterBits,
    int refcountOrder,
    boolean lazyRefcounts,
    int compressionType,
    boolean extendedL2,
    @Nullable String dataFile,
    boolean rawData,
    NewEncryption encryption,
    Preallocation preallocation) {
  static final String COMPAT = "compat";
  static final String CLUSTER_SIZE = "cluster_size";
  static final String REFCOUNT_BITS = "refcount_bits";
  static final String LAZY_REFCOUNTS = "lazy_refcounts";
  static final String COMPRESSION_TYPE = "compression_type";
  static final String EXTENDED_L2 = "extended_l2";
  static final String PREALLOCATION = "preallocation";
  static final String DATA_FILE = "data_file";
  static final String DATA_FILE_RAW = "data_file_raw";

  private static final Map<String, Integer> VERSIONS =
      Map.of("0.10", 2, "v2", 2, "1.1", 3, "v3", 3);
  private static final Map<String, Integer> COMPRESSION_TYPES =
      Map.of("zlib", Qcow2Header.COMPRESSION_ZLIB, "zstd", Qcow2Header.COMPRESSION_ZSTD);
  private static final Set<String> ON = Set.of("on", "yes", "true", "y");
  private static final Set<String> OFF = Set.of("off", "no", "false", "n");

  /** QEMU's switches for what we do not create; off is what we do anyway. */
  private static final List<String> ONLY_OFF = List.of("nocow");

  /** QEMU's options for what we do not create. */
  private static final List<String> NOT_SUPPORTED = List.of("extent_size_hint");

  /**
   * Reads the options.
   *
   * @param values by qemu-img's names
   * @throws BlockException {@code INVALID} for a name or a value that qcow2 does not have, {@code
   *     NOT_SUPPORTED} for one that is QEMU's but not ours
   */
  static Qcow2CreateOptions parse(Map<String, String> values) throws BlockException {
    Map<String, String> rest = new HashMap<>(values);
    Qcow2CreateOptions options =
        new Qcow2CreateOptions(
            version(rest, 3),
            clusterBits(rest.remove(CLUSTER_SIZE)),
            refcountOrder(rest.remove(REFCOUNT_BITS)),
            isOn(rest, LAZY_REFCOUNTS),
            choice(rest, COMPRESSION_TYPE, COMPRESSION_TYPES, Qcow2Header.COMPRESSION_ZLIB),
            isOn(rest, EXTENDED_L2),
            rest.remove(DATA_FILE),
            isOn(rest, DATA_FILE_RAW),
            NewEncryption.take(rest),
            preallocation(rest.remove(PREALLOCATION)));
    refuseUnsupported(rest);
    options.requireDataFile();
    options.requireSubclusters();
    options.requireVersion3();
    return options;
  }

  /** Takes the version of the format, of an image that has {@code otherwise} if it is not said. */
  static int version(Map<String, String> rest, int otherwise) throws BlockException {
    return choice(rest, COMPAT, VERSIONS, otherwise);
  }

  private static int clusterBits(@Nullable String text) throws BlockException {
    long size = text == null ? 65536 : SizeText.parse(CLUSTER_SIZE, text);
    if (!Alignment.isPowerOfTwo(size)
        || size < 1 << HeaderReader.MIN_CLUSTER_BITS
        || size > 1 << HeaderReader.MAX_CLUSTER_BITS) {
      throw invalid(CLUSTER_SIZE, size + " is not a power of two in 512..2097152");
    }
    return Long.numberOfTrailingZeros(size);
  }

  static int refcountOrder(@Nullable String text) throws BlockException {
    long bits = text == null ? 16 : SizeText.parse(REFCOUNT_BITS, text);
    if (!Alignment.isPowerOfTwo(bits) || bits > 1 << HeaderReader.MAX_REFCOUNT_ORDER) {
      throw invalid(REFCOUNT_BITS, bits + " is not a power of two in 1..64");
    }
    return Long.numberOfTrailingZeros(bits);
  }

  private static Preallocation preallocation(@Nullable String text) throws BlockException {
    for (Preallocation mode : Preallocation.values()) {
      if (mode.name().toLowerCase(Locale.ROOT).equals(text)) {
        return mode;
      }
    }
    if (text != null) {
      throw invalid(PREALLOCATION, text + " is none of off, metadata, falloc, full");
    }
    return Preallocation.OFF;
  }

  private static int choice(
      Map<String, String> rest, String name, Map<String, Integer> choices, int otherwise)
      throws BlockException {
    String text = rest.remove(name);
    Integer value = text == null ? Integer.valueOf(otherwise) : choices.get(text);
    if (value == null) {
      throw invalid(name, text + " is none of " + String.join(", ", sorted(choices.keySet())));
    }
    return value;
  }

  static boolean isOn(Map<String, String> rest, String name) throws BlockException {
    String text = rest.remove(name);
    String word = text == null ? "off" : text.toLowerCase(Locale.ROOT);
    if (!ON.contains(word) && !OFF.contains(word)) {
      throw invalid(name, text + " is neither on nor off");
    }
    return ON.contains(word);
  }

  private static void refuseUnsupported(Map<String, String> rest) throws BlockException {
    for (String name : sorted(rest.keySet())) {
      String value = rest.get(name);
      if (ONLY_OFF.contains(name) && OFF.contains(value)) {
        continue;
      }
      if (ONLY_OFF.contains(name) || NOT_SUPPORTED.contains(name)) {
        throw new BlockException(
            BlockError.NOT_SUPPORTED, "qcow2 option " + name + "=" + value + " is not supported");
      }
      throw new BlockException(BlockError.INVALID, "qcow2 has no creation option " + name);
    }
  }

  private void requireDataFile() throws BlockException {
    if (rawData && dataFile == null) {
      throw invalid(DATA_FILE_RAW, DATA_FILE + " is needed");
    }
    if (rawData && encryption.method() != Qcow2Header.CRYPT_NONE) {
      throw invalid(DATA_FILE_RAW, "what is encrypted cannot be read as it stands");
    }
    if (dataFile != null && (dataFile.isEmpty() || dataFile.indexOf('\0') >= 0)) {
      throw invalid(DATA_FILE, "a name without NUL is needed");
    }
  }

  private void requireSubclusters() throws BlockException {
    if (extendedL2 && clusterBits < HeaderReader.MIN_EXTENDED_L2_CLUSTER_BITS) {
      throw invalid(EXTENDED_L2, CLUSTER_SIZE + " has to be at least 16384");
    }
  }

  private void requireVersion3() throws BlockException {
    if (version >= 3) {
      return;
    }
    requireVersion3(REFCOUNT_BITS, refcountOrder != Qcow2Header.V2_REFCOUNT_ORDER);
    requireVersion3(LAZY_REFCOUNTS, lazyRefcounts);
    requireVersion3(EXTENDED_L2, extendedL2);
    requireVersion3(DATA_FILE, dataFile != null);
    requireVersion3(COMPRESSION_TYPE, compressionType != Qcow2Header.COMPRESSION_ZLIB);
  }

  private static void requireVersion3(String name, boolean isUsed) throws BlockException {
    if (isUsed) {
      throw invalid(name, "compat=0.10 has only the default, compat=1.1 is needed");
    }
  }

  static List<String> sorted(Set<String> names) {
    return names.stream().sorted().toList();
  }

  static BlockException invalid(String name, String problem) {
    return new BlockException(BlockError.INVALID, "qcow2 option " + name + ": " + problem);
  }
}
