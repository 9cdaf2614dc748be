// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BlockIo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * All that an image says of itself in its first cluster.
 *
 * <pre>
 * header | extensions, end mark | backing file's name | nothing
 *                                                     ^ end
 * </pre>
 *
 * @param header of the image
 * @param extensions of the image
 * @param backingName as the image spells it, or null
 * @param bytes of the whole cluster, from 0 to its limit
 */
record FirstCluster(
    Qcow2Header header,
    HeaderExtensions extensions,
    @Nullable String backingName,
    ByteBuffer bytes) {
  /** Enough for the fixed header of any version. */
  private static final int HEADER_READ = 512;

  /** Behind the last field that is known. */
  private static final int KNOWN_FIELDS_END = Qcow2Header.COMPRESSION_TYPE_AT + 1;

  static FirstCluster read(String imageName, BlockIo file) throws IOException {
    Qcow2Header header = Qcow2Header.parse(imageName, start(file, HEADER_READ), file.length());
    ByteBuffer bytes = start(file, header.clusterSize());
    HeaderExtensions extensions = HeaderExtensions.parse(imageName, header, bytes);
    FeatureBits.requireKnown(imageName, header, extensions);
    return new FirstCluster(header, extensions, backingName(header, bytes), bytes);
  }

  private static ByteBuffer start(BlockIo file, int length) throws IOException {
    ByteBuffer start = BouncePool.allocate(length);
    file.read(0, start);
    return start.flip();
  }

  /**
   * Returns the backing file's name as the image spells it, decoded by {@code HostName}, or null.
   *
   * @param bytes of the whole cluster, from position to limit
   */
  static @Nullable String backingName(Qcow2Header header, ByteBuffer bytes) {
    if (!header.hasBackingName()) {
      return null;
    }
    byte[] name = new byte[header.backingNameLength()];
    bytes.slice().position((int) header.backingNameOffset()).get(name);
    String text = HostName.decode(Arrays.copyOf(name, untilNul(name)));
    return text.isEmpty() ? null : text;
  }

  /** Some writers close names with a NUL, which the host could not open. */
  private static int untilNul(byte[] name) {
    int length = 0;
    while (length < name.length && name[length] != 0) {
      length++;
    }
    return length;
  }

  /** Returns whether somebody else's fields, behind those that are known, say something. */
  boolean hasUnknownFields() {
    for (int at = KNOWN_FIELDS_END; at < header.headerLength(); at++) {
      if (bytes.get(at) != 0) {
        return true;
      }
    }
    return false;
  }

  /** Returns where what anybody reads ends, in bytes from the start of the file. */
  int end() {
    return header.backingNameOffset() == 0
        ? extensionsEnd()
        : (int) header.backingNameOffset() + header.backingNameLength();
  }

  private int extensionsEnd() {
    ByteBuffer big = bytes.duplicate().order(ByteOrder.BIG_ENDIAN);
    long at = header.headerLength();
    while (at + HeaderExtensions.RECORD_HEAD <= header.clusterSize()) {
      long length = Integer.toUnsignedLong(big.getInt((int) at + Integer.BYTES));
      if (big.getInt((int) at) == HeaderExtensions.END) {
        return (int) at + HeaderExtensions.RECORD_HEAD;
      }
      at += HeaderExtensions.RECORD_HEAD + (length + 7 & ~7L);
    }
    return header.clusterSize();
  }

  /** Returns whether another one says the same, wherever the name lies. */
  boolean saysTheSameAs(FirstCluster other) {
    return header.withBackingName(0, 0).equals(other.header.withBackingName(0, 0))
        && extensions.equals(other.extensions)
        && Objects.equals(backingName, other.backingName);
  }

  /** Returns how long the first cluster is that says something. */
  static int length(Qcow2Header header, HeaderExtensions extensions, @Nullable String name) {
    return header.headerLength() + tailLength(extensions, name);
  }

  private static int tailLength(HeaderExtensions extensions, @Nullable String name) {
    return extensions.encodedLength() + nameLength(name);
  }

  private static int nameLength(@Nullable String name) {
    return name == null ? 0 : HostName.encode(name).length;
  }

  /**
   * Returns what this cluster becomes when it says something else; fields that are not known stay.
   *
   * @param next without the place of the name; all of it fits, see {@link #length}
   */
  FirstCluster changedTo(Qcow2Header next, HeaderExtensions extensions, @Nullable String name) {
    int tailAt = next.headerLength();
    Qcow2Header placed = next.withBackingName(nameAt(tailAt, extensions, name), nameLength(name));
    ByteBuffer changed = BouncePool.allocate(next.clusterSize());
    changed.put(encodedHeader(placed)).put(encodedTail(extensions, name));
    return new FirstCluster(placed, extensions, name, changed.clear());
  }

  private static int nameAt(int tailAt, HeaderExtensions extensions, @Nullable String name) {
    return name == null ? 0 : tailAt + extensions.encodedLength();
  }

  /** Returns the header's own bytes, with the fields of this one that are not known. */
  private ByteBuffer encodedHeader(Qcow2Header next) {
    ByteBuffer encoded = ByteBuffer.allocate(next.headerLength());
    next.encode(encoded);
    if (next.headerLength() == header.headerLength()) {
      int unknown = Math.max(0, next.headerLength() - KNOWN_FIELDS_END);
      encoded.put(next.headerLength() - unknown, slice(bytes, KNOWN_FIELDS_END, unknown));
    }
    return encoded.rewind();
  }

  private static byte[] slice(ByteBuffer bytes, int at, int length) {
    byte[] slice = new byte[length];
    if (length > 0) {
      bytes.get(at, slice);
    }
    return slice;
  }

  private static ByteBuffer encodedTail(HeaderExtensions extensions, @Nullable String name) {
    ByteBuffer tail = ByteBuffer.allocate(tailLength(extensions, name));
    extensions.encode(tail);
    return (name == null ? tail : tail.put(HostName.encode(name))).rewind();
  }

  /** Returns the extensions and the name, which may lie anywhere behind the header. */
  ByteBuffer tail() {
    return encodedTail(extensions, backingName);
  }

  /** Returns the header's bytes, for extensions and a name that lie somewhere else. */
  ByteBuffer headerWithTailAt(int tailAt) {
    int nameAt = nameAt(tailAt, extensions, backingName);
    return encodedHeader(header.withBackingName(nameAt, nameLength(backingName)));
  }
}
