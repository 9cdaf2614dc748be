// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.SectorCipher.SECTOR_SIZE;

import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Reads a LUKS header field by field; nothing is narrowed or multiplied before it is checked. */
final class LuksHeaderReader {
  private static final int MIN_KEY_LENGTH = 8;

  private final LuksRules rules;
  private final ByteBuffer bytes;
  private final long areaLength;

  LuksHeaderReader(LuksRules rules, ByteBuffer bytes, long areaLength) {
    this.rules = rules;
    this.bytes = bytes;
    this.areaLength = areaLength;
  }

  LuksHeader read() throws IOException {
    requireMagicAndVersion();
    int keyLength =
        rules.range(
            "key-bytes",
            uint32(LuksHeader.KEY_LENGTH_AT),
            MIN_KEY_LENGTH,
            LuksHeader.MAX_KEY_LENGTH);
    long payloadSector = uint32(LuksHeader.PAYLOAD_AT);
    return new LuksHeader(
        name("cipher-name", LuksHeader.CIPHER_NAME_AT),
        name("cipher-mode", LuksHeader.CIPHER_MODE_AT),
        name("hash-spec", LuksHeader.HASH_AT),
        payloadSector,
        keyLength,
        fixed(LuksHeader.DIGEST_AT, LuksHeader.DIGEST_LENGTH),
        fixed(LuksHeader.DIGEST_SALT_AT, LuksHeader.SALT_LENGTH),
        iterations("mk-digest-iter", uint32(LuksHeader.DIGEST_ITERATIONS_AT)),
        text("uuid", LuksHeader.UUID_AT, LuksHeader.UUID_LENGTH),
        readSlots(keyLength, payloadSector));
  }

  private void requireMagicAndVersion() throws BlockException {
    int magicLength = LuksHeader.MAGIC.length;
    if (bytes.limit() < magicLength
        || !Arrays.equals(fixed(0, magicLength).toArray(), LuksHeader.MAGIC)) {
      throw new BlockException(
          BlockError.INVALID, rules.message("not a LUKS header: no LUKS magic at its start"));
    }
    int available = (int) Math.min(bytes.limit(), areaLength);
    if (available < LuksHeader.LENGTH) {
      throw new CorruptImageException(
          rules.message(
              "truncated LUKS header: " + available + " of " + LuksHeader.LENGTH + " bytes"));
    }
    int version = bytes.getShort(LuksHeader.VERSION_AT) & 0xffff;
    if (version != LuksHeader.VERSION) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          rules.message("LUKS header field version: " + version + " is not supported, only 1 is"));
    }
  }

  private String name(String field, int offset) throws CorruptImageException {
    String name = text(field, offset, LuksHeader.NAME_LENGTH);
    rules.require(!name.isEmpty(), field, "it is empty");
    return name;
  }

  /** Returns printable ASCII up to the closing NUL, which must be there. */
  private String text(String field, int offset, int length) throws CorruptImageException {
    byte[] text = fixed(offset, length).toArray();
    int end = 0;
    while (end < length && text[end] != 0) {
      rules.require(
          text[end] > ' ' && text[end] < 0x7f,
          field,
          "byte " + end + " is " + Integer.toHexString(text[end] & 0xff) + " hex, no plain letter");
      end++;
    }
    rules.require(end < length, field, "no NUL in its " + length + " bytes");
    return new String(text, 0, end, StandardCharsets.US_ASCII);
  }

  private int iterations(String field, long value) throws CorruptImageException {
    return rules.range(field, value, 1, LuksHeader.MAX_ITERATIONS);
  }

  private List<LuksKeySlot> readSlots(int keyLength, long payloadSector)
      throws CorruptImageException {
    List<LuksKeySlot> slots = new ArrayList<>();
    for (int i = 0; i < LuksHeader.SLOT_COUNT; i++) {
      LuksKeySlot slot = readSlot("key-slot-" + i, (int) LuksHeader.slotOffset(i));
      requirePlace("key-slot-" + i, slot.material(keyLength), payloadSector * SECTOR_SIZE);
      requireApart(i, slot.material(keyLength), slots, keyLength);
      slots.add(slot);
    }
    return slots;
  }

  private LuksKeySlot readSlot(String field, int offset) throws CorruptImageException {
    int state = bytes.getInt(offset);
    rules.require(
        state == LuksKeySlot.ACTIVE || state == LuksKeySlot.INACTIVE,
        field + " active",
        "0x" + Integer.toHexString(state) + " means neither active nor inactive");
    boolean active = state == LuksKeySlot.ACTIVE;
    long count = uint32(offset + LuksKeySlot.ITERATIONS_AT);
    return new LuksKeySlot(
        active,
        active ? iterations(field + " iterations", count) : 0,
        fixed(offset + LuksKeySlot.SALT_AT, LuksHeader.SALT_LENGTH),
        uint32(offset + LuksKeySlot.MATERIAL_AT),
        rules.range(
            field + " stripes",
            uint32(offset + LuksKeySlot.STRIPES_AT),
            LuksKeySlot.STRIPES,
            LuksKeySlot.STRIPES));
  }

  /** Inactive slots too: the next passphrase is written there. */
  private void requirePlace(String slot, ByteRange material, long payloadOffset)
      throws CorruptImageException {
    String field = slot + " key-material-offset";
    rules.require(
        material.offset() >= LuksHeader.LENGTH, field, "it is inside the header's 592 bytes");
    rules.require(
        payloadOffset == 0 || material.end() <= payloadOffset,
        field,
        "it ends at byte " + material.end() + ", behind the start of the disk, " + payloadOffset);
    rules.require(
        material.end() <= areaLength,
        field,
        "it ends at byte " + material.end() + ", behind the end of the area, " + areaLength);
  }

  private void requireApart(int index, ByteRange material, List<LuksKeySlot> earlier, int keyLength)
      throws CorruptImageException {
    for (int other = 0; other < index; other++) {
      rules.require(
          !material.overlaps(earlier.get(other).material(keyLength)),
          "key-slot-" + index + " key-material-offset",
          "its key material overlaps that of key slot " + other);
    }
  }

  private FixedBytes fixed(int offset, int length) {
    byte[] copy = new byte[length];
    bytes.get(offset, copy);
    return FixedBytes.copyOf(copy);
  }

  private long uint32(int offset) {
    return Integer.toUnsignedLong(bytes.getInt(offset));
  }
}
