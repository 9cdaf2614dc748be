// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What a driver is opened with: a few things that every driver knows, and its own options as text.
 * A driver takes each option that it understands; {@link #requireAllTaken} then names the rest.
 */
public final class DriverOptions {
  private final boolean writable;
  private final String imageName;
  private final Map<String, String> values;
  private final KeySource keys;
  private final DiscardMode discard;
  private final TreeSet<String> left;

  /**
   * Creates options.
   *
   * @param imageName the name for messages
   * @param writable whether writes will come
   * @param values the driver's own options, by QEMU's names, without the names of children
   */
  public DriverOptions(String imageName, boolean writable, Map<String, String> values) {
    this(imageName, writable, values, KeySource.NONE);
  }

  /**
   * Creates options for an image that may be encrypted.
   *
   * @param imageName the name for messages
   * @param writable whether writes will come
   * @param values the driver's own options, by QEMU's names, without the names of children
   * @param keys where its key comes from
   */
  public DriverOptions(
      String imageName, boolean writable, Map<String, String> values, KeySource keys) {
    this(imageName, writable, values, keys, DiscardMode.UNMAP);
  }

  private DriverOptions(
      String imageName,
      boolean writable,
      Map<String, String> values,
      KeySource keys,
      DiscardMode discard) {
    this.imageName = imageName;
    this.writable = writable;
    this.values = new LinkedHashMap<>(values);
    this.keys = keys;
    this.discard = discard;
    this.left = new TreeSet<>(values.keySet());
  }

  /**
   * Returns these options, none of them taken, for a node that treats discards in another way.
   *
   * @param mode what becomes of discards before they come to the driver
   */
  public DriverOptions withDiscard(DiscardMode mode) {
    return new DriverOptions(imageName, writable, values, keys, mode);
  }

  /** Returns what becomes of discards before they come to the driver: {@code UNMAP} lets them. */
  public DiscardMode discard() {
    return discard;
  }

  /** Returns whether writes will come. */
  public boolean writable() {
    return writable;
  }

  /** Returns the name for messages. */
  public String imageName() {
    return imageName;
  }

  /** Returns where the key of an encrypted image comes from. */
  public KeySource keys() {
    return keys;
  }

  /**
   * Takes a text option.
   *
   * @param key QEMU's name of it
   * @return its value, or null if it was not given
   */
  public @Nullable String take(String key) {
    left.remove(key);
    return values.get(key);
  }

  /**
   * Takes a text option with a default.
   *
   * @param key QEMU's name of it
   * @param fallback its value if it was not given
   */
  public String take(String key, String fallback) {
    String value = take(key);
    return value == null ? fallback : value;
  }

  /**
   * Takes an on/off option.
   *
   * @param key QEMU's name of it
   * @param fallback its value if it was not given
   * @throws BlockException if it is neither on nor off (true, false, yes and no are taken too)
   */
  public boolean takeBoolean(String key, boolean fallback) throws BlockException {
    String value = take(key);
    if (value == null) {
      return fallback;
    }
    return switch (value.toLowerCase(Locale.ROOT)) {
      case "on", "true", "yes" -> true;
      case "off", "false", "no" -> false;
      default ->
          throw new BlockException(
              BlockError.INVALID, "option " + key + "=" + value + ": neither on nor off");
    };
  }

  /**
   * Takes a number of bytes.
   *
   * @param key QEMU's name of it
   * @param fallback its value if it was not given
   * @throws BlockException if it is no number, negative or too large; K, M, G, T, P and E are
   *     powers of 1024
   */
  public long takeSize(String key, long fallback) throws BlockException {
    String value = take(key);
    return value == null ? fallback : SizeText.parse("option " + key, value);
  }

  /**
   * Fails if an option is left that the driver did not take.
   *
   * @param driver its name
   * @throws BlockException that names all of them
   */
  public void requireAllTaken(String driver) throws BlockException {
    if (!left.isEmpty()) {
      throw new BlockException(
          BlockError.INVALID,
          "driver " + driver + " does not know the option " + String.join(", ", left));
    }
  }
}
