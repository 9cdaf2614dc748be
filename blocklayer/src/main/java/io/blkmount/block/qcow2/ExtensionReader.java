// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.qcow2.FeatureBits.Feature;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import io.blkmount.block.qcow2.HeaderExtensions.CryptoPointer;
import io.blkmount.block.qcow2.HeaderExtensions.Unknown;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads the header extensions of one image. */
final class ExtensionReader {
  /** The format's limit; QEMU's buffer has 16 bytes with the closing NUL. */
  static final int MAX_BACKING_FORMAT = 15;

  static final int MAX_BITMAPS = 65535;

  /** QEMU's limit: 1024 bytes for each bitmap. */
  static final long MAX_BITMAP_DIRECTORY = MAX_BITMAPS * 1024L;

  /** No writer makes more than a few; a cluster of 2 MiB could hold 262,144 empty ones. */
  static final int MAX_UNKNOWN = 1024;

  private final HeaderRules rules;
  private final Qcow2Header header;

  private final Set<Integer> seen = new HashSet<>();
  private final List<Unknown> unknown = new ArrayList<>();
  private Map<Feature, String> featureNames = Map.of();
  private @Nullable String backingFormat;
  private @Nullable String dataFileName;
  private @Nullable CryptoPointer crypto;
  private @Nullable BitmapsPointer bitmaps;

  ExtensionReader(HeaderRules rules, Qcow2Header header) {
    this.rules = rules;
    this.header = header;
  }

  /** Reads from the position to the end mark or the limit, whichever comes first. */
  HeaderExtensions readAll(ByteBuffer bytes) throws IOException {
    while (bytes.remaining() >= HeaderExtensions.RECORD_HEAD) {
      int start = bytes.position();
      int type = bytes.getInt();
      long length = Integer.toUnsignedLong(bytes.getInt());
      if (type == HeaderExtensions.END) {
        break;
      }
      rules.require(
          length <= bytes.remaining(),
          name(type) + " at offset " + start,
          length + " bytes long, only " + bytes.remaining() + " are left");
      read(type, bytes.slice(bytes.position(), (int) length).order(ByteOrder.BIG_ENDIAN));
      long next = bytes.position() + Alignment.up(length, HeaderExtensions.RECORD_HEAD);
      bytes.position((int) Math.min(next, bytes.limit()));
    }
    rules.require(
        header.cryptMethod() != Qcow2Header.CRYPT_LUKS || crypto != null,
        name(HeaderExtensions.CRYPTO_HEADER),
        "missing, but crypt_method is 2 (LUKS)");
    return new HeaderExtensions(
        backingFormat, dataFileName, crypto, featureNames, bitmaps, unknown);
  }

  private void read(int type, ByteBuffer content) throws IOException {
    switch (type) {
      case HeaderExtensions.BACKING_FORMAT -> readBackingFormat(content);
      case HeaderExtensions.DATA_FILE_NAME -> readDataFileName(content);
      case HeaderExtensions.CRYPTO_HEADER -> readCrypto(content);
      case HeaderExtensions.FEATURE_NAMES -> readFeatureNames(content);
      case HeaderExtensions.BITMAPS -> readBitmaps(content);
      default -> keep(type, content);
    }
  }

  private void readBackingFormat(ByteBuffer content) throws IOException {
    requireFirst(HeaderExtensions.BACKING_FORMAT);
    rules.require(
        content.remaining() <= MAX_BACKING_FORMAT,
        name(HeaderExtensions.BACKING_FORMAT),
        content.remaining() + " bytes long, at most " + MAX_BACKING_FORMAT + " are allowed");
    String format = text(content);
    backingFormat = format.isEmpty() ? null : format;
  }

  /** A name without the bit is kept like an unknown record, so that nobody opens it. */
  private void readDataFileName(ByteBuffer content) throws IOException {
    requireFirst(HeaderExtensions.DATA_FILE_NAME);
    if (header.hasIncompatible(FeatureBits.EXTERNAL_DATA_FILE)) {
      dataFileName = text(content);
    } else {
      keep(HeaderExtensions.DATA_FILE_NAME, content);
    }
  }

  private void readCrypto(ByteBuffer content) throws IOException {
    requireFirst(HeaderExtensions.CRYPTO_HEADER);
    String field = name(HeaderExtensions.CRYPTO_HEADER);
    rules.require(
        header.cryptMethod() == Qcow2Header.CRYPT_LUKS,
        field,
        "crypt_method is " + header.cryptMethod() + ", not 2 (LUKS)");
    requireLength(field, content, HeaderExtensions.CRYPTO_LENGTH);
    long offset = rules.offset(field + ", offset", content.getLong(0), header.clusterSize());
    long length = content.getLong(8);
    rules.require(
        length > 0 && length < HeaderRules.MAX_HOST_OFFSET,
        field,
        "the LUKS header is " + Long.toUnsignedString(length) + " bytes long");
    crypto = new CryptoPointer(offset, length);
  }

  /** A table of a strange length only costs us the names. */
  private void readFeatureNames(ByteBuffer content) throws IOException {
    requireFirst(HeaderExtensions.FEATURE_NAMES);
    if (content.remaining() % HeaderExtensions.FEATURE_LENGTH != 0) {
      return;
    }
    featureNames = new LinkedHashMap<>();
    while (content.hasRemaining()) {
      int type = content.get() & 0xff;
      int bit = content.get() & 0xff;
      int next = content.position() + HeaderExtensions.FEATURE_NAME_LENGTH;
      if (type <= FeatureBits.TYPE_AUTOCLEAR && bit < Long.SIZE) {
        String name = text(content.slice(content.position(), HeaderExtensions.FEATURE_NAME_LENGTH));
        featureNames.putIfAbsent(new Feature(type, bit), name);
      }
      content.position(next);
    }
  }

  /** The autoclear bit is gone if a program that knows no bitmaps has written to the image. */
  private void readBitmaps(ByteBuffer content) throws IOException {
    requireFirst(HeaderExtensions.BITMAPS);
    String field = name(HeaderExtensions.BITMAPS);
    requireLength(field, content, HeaderExtensions.BITMAPS_LENGTH);
    if ((header.autoclearFeatures() & FeatureBits.BITMAPS) == 0) {
      return;
    }
    int count =
        rules.range(field + ", count", Integer.toUnsignedLong(content.getInt(0)), 1, MAX_BITMAPS);
    rules.require(content.getInt(4) == 0, field, "the reserved field is not 0");
    long length =
        rules.range(field + ", directory size", content.getLong(8), 1, MAX_BITMAP_DIRECTORY);
    long offset =
        rules.offset(field + ", directory offset", content.getLong(16), header.clusterSize());
    bitmaps = new BitmapsPointer(count, length, offset);
  }

  private void keep(int type, ByteBuffer content) throws IOException {
    rules.require(
        unknown.size() < MAX_UNKNOWN, "extensions", "more than " + MAX_UNKNOWN + " unknown ones");
    ByteBuffer copy = ByteBuffer.allocate(content.remaining()).put(content).flip();
    unknown.add(new Unknown(type, copy.asReadOnlyBuffer()));
  }

  private void requireFirst(int type) throws IOException {
    rules.require(seen.add(type), name(type), "occurs twice");
  }

  private void requireLength(String field, ByteBuffer content, int length) throws IOException {
    rules.require(
        content.remaining() == length,
        field,
        content.remaining() + " bytes long, must be " + length);
  }

  private static String text(ByteBuffer content) {
    int length = 0;
    while (length < content.remaining() && content.get(content.position() + length) != 0) {
      length++;
    }
    byte[] name = new byte[length];
    content.get(content.position(), name);
    return HostName.decode(name);
  }

  private static String name(int type) {
    return switch (type) {
      case HeaderExtensions.BACKING_FORMAT -> "backing format";
      case HeaderExtensions.DATA_FILE_NAME -> "data file name";
      case HeaderExtensions.CRYPTO_HEADER -> "crypto header";
      case HeaderExtensions.FEATURE_NAMES -> "feature names";
      case HeaderExtensions.BITMAPS -> "bitmaps";
      default -> "0x" + Integer.toHexString(type);
    };
  }
}
