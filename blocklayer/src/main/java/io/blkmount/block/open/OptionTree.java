// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.error.BlockException;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Dotted options as the tree that they stand for: a node's own values, and below {@code file.} and
 * {@code backing.} those of its children. What is taken is gone; what stays is the driver's.
 */
final class OptionTree {
  private final Map<String, String> left;

  OptionTree(Map<String, String> options) {
    left = new LinkedHashMap<>(options);
  }

  /** Takes a text value, null if it was not given. */
  @Nullable String take(String key) {
    return left.remove(key);
  }

  /** Takes an on/off value. */
  boolean takeBoolean(String key, boolean fallback) throws BlockException {
    String value = take(key);
    return value == null
        ? fallback
        : new DriverOptions("", false, Map.of(key, value)).takeBoolean(key, fallback);
  }

  /** Takes everything below {@code name.}, without that prefix. */
  OptionTree takeChild(String name) {
    String prefix = name + '.';
    Map<String, String> child = new LinkedHashMap<>();
    Iterator<Map.Entry<String, String>> entries = left.entrySet().iterator();
    while (entries.hasNext()) {
      Map.Entry<String, String> entry = entries.next();
      if (entry.getKey().startsWith(prefix)) {
        child.put(entry.getKey().substring(prefix.length()), entry.getValue());
        entries.remove();
      }
    }
    return new OptionTree(child);
  }

  boolean has(String key) {
    return left.containsKey(key);
  }

  boolean isEmpty() {
    return left.isEmpty();
  }

  /** Returns what was not taken. */
  Map<String, String> left() {
    return Map.copyOf(left);
  }
}
