// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.CorruptImageException;

/**
 * Checks single values of an image's header; every failure names the image, the place and the rule.
 *
 * @param imageName for messages, as the user gave it
 * @param part of the header that values come from
 */
record HeaderRules(String imageName, String part) {
  /** Tables point at host clusters with bits 9 to 55 of an entry, so no offset reaches 2^56. */
  static final long MAX_HOST_OFFSET = 1L << 56;

  /** Returns the rules for the fixed header. */
  static HeaderRules forFields(String imageName) {
    return new HeaderRules(imageName, "header field ");
  }

  /** Returns the rules for the records behind it. */
  static HeaderRules forExtensions(String imageName) {
    return new HeaderRules(imageName, "header extension ");
  }

  /** Returns the rules for one record of the snapshot table, counted from 0. */
  static HeaderRules forSnapshot(String imageName, int index) {
    return new HeaderRules(imageName, "snapshot table entry " + index + ", field ");
  }

  /** Returns the rules for one record of the bitmap directory, counted from 0. */
  static HeaderRules forBitmap(String imageName, int index) {
    return new HeaderRules(imageName, "bitmap directory entry " + index + ", field ");
  }

  /** Fails unless {@code condition} holds. */
  void require(boolean condition, String field, String problem) throws CorruptImageException {
    if (!condition) {
      throw fault(field, problem);
    }
  }

  /** Returns an unsigned value that is in {@code min..max}. */
  int range(String field, long value, long min, long max) throws CorruptImageException {
    if (value < min || value > max) {
      throw fault(field, Long.toUnsignedString(value) + " is not in " + min + ".." + max);
    }
    return Math.toIntExact(value);
  }

  /** Returns a host offset that is on a cluster boundary and below 2^56. */
  long offset(String field, long offset, int clusterSize) throws CorruptImageException {
    if (offset < 0 || offset >= MAX_HOST_OFFSET) {
      throw fault(field, hex(offset) + " is not below 2^56");
    }
    if (!Alignment.isAligned(offset, clusterSize)) {
      throw fault(field, hex(offset) + " is not a multiple of the cluster size " + clusterSize);
    }
    return offset;
  }

  /** Returns what to throw for a field that breaks its rule. */
  CorruptImageException fault(String field, String problem) {
    return new CorruptImageException(message(part + field + ": " + problem));
  }

  /** Returns a message that starts with the image. */
  String message(String problem) {
    return "image \"" + HostName.printable(imageName) + "\": " + problem;
  }

  static String hex(long value) {
    return "0x" + Long.toHexString(value);
  }
}
