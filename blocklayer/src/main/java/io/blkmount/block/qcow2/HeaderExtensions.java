// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.qcow2.FeatureBits.Feature;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The variable part of the header: records between the fixed header and the backing file's name.
 *
 * <pre>
 * 0 type (4)   4 length (4)   8 content, padded to 8 with zeros     ...     type 0 ends the list
 * </pre>
 *
 * @param backingFormat driver name of the backing file, or null
 * @param dataFileName of the external data file as the image spells it, decoded by {@code
 *     HostName}; null unless the incompatible bit says that there is one
 * @param crypto where the LUKS header lies; null unless the image is LUKS encrypted
 * @param featureNames what the image calls the bits, for messages; in the image's order
 * @param bitmaps where the bitmap directory lies; null unless the autoclear bit says that the
 *     bitmaps are up to date, without it they are worthless
 * @param unknown all other records, kept when the header is written again
 */
record HeaderExtensions(
    @Nullable String backingFormat,
    @Nullable String dataFileName,
    @Nullable CryptoPointer crypto,
    Map<Feature, String> featureNames,
    @Nullable BitmapsPointer bitmaps,
    List<Unknown> unknown) {
  static final int END = 0;
  static final int BACKING_FORMAT = 0xe2792aca;
  static final int DATA_FILE_NAME = 0x44415441;
  static final int CRYPTO_HEADER = 0x0537be77;
  static final int FEATURE_NAMES = 0x6803f857;
  static final int BITMAPS = 0x23852875;

  /** Type and length of a record. */
  static final int RECORD_HEAD = 8;

  static final int CRYPTO_LENGTH = 16;
  static final int BITMAPS_LENGTH = 24;

  /** Type, bit number and name. */
  static final int FEATURE_LENGTH = 48;

  static final int FEATURE_NAME_LENGTH = 46;

  /** Nothing at all, as in a fresh version 2 image. */
  static final HeaderExtensions NONE =
      new HeaderExtensions(null, null, null, Map.of(), null, List.of());

  /** Copies the lists. */
  HeaderExtensions {
    featureNames = Collections.unmodifiableMap(new LinkedHashMap<>(featureNames));
    unknown = List.copyOf(unknown);
  }

  /**
   * Where the LUKS header and its key material lie.
   *
   * @param offset host offset in bytes, on a cluster boundary
   * @param length in bytes
   */
  record CryptoPointer(long offset, long length) {}

  /**
   * Where the bitmap directory lies.
   *
   * @param count of bitmaps, at least 1
   * @param directoryLength in bytes
   * @param directoryOffset host offset in bytes, on a cluster boundary
   */
  record BitmapsPointer(int count, long directoryLength, long directoryOffset) {}

  /**
   * A record that this version does not interpret.
   *
   * @param type not 0
   * @param content without the padding; read only, compared by its bytes
   */
  record Unknown(int type, ByteBuffer content) {}

  /**
   * Reads the records of an image.
   *
   * @param imageName for messages
   * @param header of the image, checked
   * @param firstCluster of the file, from position to limit; zeros behind the end of the file
   * @throws io.blkmount.block.error.CorruptImageException if a record runs past the end, occurs
   *     twice, or breaks the rules of its type
   */
  static HeaderExtensions parse(String imageName, Qcow2Header header, ByteBuffer firstCluster)
      throws IOException {
    ByteBuffer bytes = firstCluster.slice().order(ByteOrder.BIG_ENDIAN);
    bytes.limit(Math.min(header.extensionsEnd(), bytes.limit()));
    bytes.position(Math.min(header.headerLength(), bytes.limit()));
    return new ExtensionReader(HeaderRules.forExtensions(imageName), header).readAll(bytes);
  }

  /** Returns the number of bytes that {@link #encode} writes. */
  int encodedLength() {
    int length = RECORD_HEAD;
    length += backingFormat == null ? 0 : recordLength(HostName.encode(backingFormat).length);
    length += dataFileName == null ? 0 : recordLength(HostName.encode(dataFileName).length);
    length += crypto == null ? 0 : recordLength(CRYPTO_LENGTH);
    length += featureNames.isEmpty() ? 0 : recordLength(featureNames.size() * FEATURE_LENGTH);
    length += bitmaps == null ? 0 : recordLength(BITMAPS_LENGTH);
    for (Unknown extension : unknown) {
      length += recordLength(extension.content().remaining());
    }
    return length;
  }

  /**
   * Writes all records and the end mark at the target's position, in QEMU's order.
   *
   * @param target of any byte order; left behind the end mark
   */
  void encode(ByteBuffer target) {
    ByteBuffer bytes = target.slice().order(ByteOrder.BIG_ENDIAN);
    if (backingFormat != null) {
      putRecord(bytes, BACKING_FORMAT, ByteBuffer.wrap(HostName.encode(backingFormat)));
    }
    if (dataFileName != null) {
      putRecord(bytes, DATA_FILE_NAME, ByteBuffer.wrap(HostName.encode(dataFileName)));
    }
    if (crypto != null) {
      putHead(bytes, CRYPTO_HEADER, CRYPTO_LENGTH).putLong(crypto.offset());
      bytes.putLong(crypto.length());
    }
    if (!featureNames.isEmpty()) {
      putHead(bytes, FEATURE_NAMES, featureNames.size() * FEATURE_LENGTH);
      featureNames.forEach((feature, name) -> putFeature(bytes, feature, name));
    }
    if (bitmaps != null) {
      putHead(bytes, BITMAPS, BITMAPS_LENGTH).putInt(bitmaps.count()).putInt(0);
      bytes.putLong(bitmaps.directoryLength()).putLong(bitmaps.directoryOffset());
    }
    for (Unknown extension : unknown) {
      putRecord(bytes, extension.type(), extension.content().duplicate());
    }
    putHead(bytes, END, 0);
    target.position(target.position() + bytes.position());
  }

  private static int recordLength(int contentLength) {
    return RECORD_HEAD + padded(contentLength);
  }

  private static int padded(int contentLength) {
    return (int) Alignment.up(contentLength, RECORD_HEAD);
  }

  private static ByteBuffer putHead(ByteBuffer bytes, int type, int length) {
    return bytes.putInt(type).putInt(length);
  }

  private static void putRecord(ByteBuffer bytes, int type, ByteBuffer content) {
    int length = content.remaining();
    putHead(bytes, type, length).put(content).put(new byte[padded(length) - length]);
  }

  private static void putFeature(ByteBuffer bytes, Feature feature, String name) {
    byte[] text = HostName.encode(name);
    int length = Math.min(text.length, FEATURE_NAME_LENGTH);
    bytes.put((byte) feature.type()).put((byte) feature.bit());
    bytes.put(text, 0, length).put(new byte[FEATURE_NAME_LENGTH - length]);
  }
}
