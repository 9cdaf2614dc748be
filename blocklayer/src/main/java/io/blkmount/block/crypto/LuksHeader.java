// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The header of LUKS version 1, big endian.
 *
 * <pre>
 *   0 magic "LUKS\xba\xbe"     6 version             8 cipher-name[32]   40 cipher-mode[32]
 *  72 hash-spec[32]          104 payload-offset    108 key-bytes        112 mk-digest[20]
 * 132 mk-digest-salt[32]     164 mk-digest-iter    168 uuid[40]         208 eight key slots of 48
 * </pre>
 *
 * @param cipherName such as {@code aes}
 * @param cipherMode such as {@code xts-plain64}
 * @param hashName such as {@code sha256}
 * @param payloadSector where the encrypted disk starts, in sectors of 512 bytes from the header's
 *     start; of no meaning inside a qcow2 image, 0 for a header apart from its disk
 * @param keyLength of the master key in bytes
 * @param digest by which a master key is known to be right, 20 bytes
 * @param digestSalt 32 bytes
 * @param digestIterations of the derivation that made the digest
 * @param uuid in its usual form
 * @param slots eight
 */
public record LuksHeader(
    String cipherName,
    String cipherMode,
    String hashName,
    long payloadSector,
    int keyLength,
    FixedBytes digest,
    FixedBytes digestSalt,
    int digestIterations,
    String uuid,
    List<LuksKeySlot> slots) {
  /** Length of the header, without key material, in bytes. */
  public static final int LENGTH = 592;

  static final byte[] MAGIC = {'L', 'U', 'K', 'S', (byte) 0xba, (byte) 0xbe};
  static final int VERSION = 1;
  static final int VERSION_AT = 6;
  static final int CIPHER_NAME_AT = 8;
  static final int CIPHER_MODE_AT = 40;
  static final int HASH_AT = 72;
  static final int NAME_LENGTH = 32;
  static final int PAYLOAD_AT = 104;
  static final int KEY_LENGTH_AT = 108;
  static final int DIGEST_AT = 112;
  static final int DIGEST_LENGTH = 20;
  static final int DIGEST_SALT_AT = 132;
  static final int SALT_LENGTH = 32;
  static final int DIGEST_ITERATIONS_AT = 164;
  static final int UUID_AT = 168;
  static final int UUID_LENGTH = 40;
  static final int SLOTS_AT = 208;
  static final int SLOT_COUNT = 8;

  /** The longest key of any cipher: two halves of 256 bits. */
  static final int MAX_KEY_LENGTH = 64;

  /** Far above what a minute of a fast machine gives; a hostile header must not hold us longer. */
  static final int MAX_ITERATIONS = 100_000_000;

  /** Key material and the disk start at multiples of this many sectors, as elsewhere. */
  private static final int ALIGNMENT_SECTORS = 8;

  /** Keeps its own list. */
  public LuksHeader {
    slots = List.copyOf(slots);
  }

  /**
   * Reads and checks a header.
   *
   * @param imageName for messages
   * @param start the first {@link #LENGTH} bytes or more, from position to limit; left alone
   * @param areaLength bytes from the header's start that it may point to
   * @throws BlockException {@code INVALID} if this is no LUKS header, {@code NOT_SUPPORTED} for
   *     another version, {@code IO} (a {@code CorruptImageException}) if a field breaks a rule
   */
  public static LuksHeader parse(String imageName, ByteBuffer start, long areaLength)
      throws IOException {
    ByteBuffer bytes = start.slice().order(ByteOrder.BIG_ENDIAN);
    return new LuksHeaderReader(new LuksRules(imageName), bytes, areaLength).read();
  }

  /** Returns a header with eight free slots behind it, laid out as QEMU and cryptsetup do. */
  static LuksHeader laidOut(LuksOptions options, String uuid, MasterKeyDigest digest) {
    int keyLength = options.cipher().keyLength();
    List<LuksKeySlot> slots = new ArrayList<>();
    for (int i = 0; i < SLOT_COUNT; i++) {
      slots.add(LuksKeySlot.free(ALIGNMENT_SECTORS + i * slotSectors(keyLength)));
    }
    return new LuksHeader(
        options.cipher().algorithm().luksName(),
        options.cipher().luksMode(),
        options.hash().luksName(),
        ALIGNMENT_SECTORS + SLOT_COUNT * slotSectors(keyLength),
        keyLength,
        digest.value(),
        digest.salt(),
        digest.iterations(),
        uuid,
        slots);
  }

  private static long slotSectors(int keyLength) {
    long length = (long) keyLength * LuksKeySlot.STRIPES;
    int alignment = ALIGNMENT_SECTORS * SectorCipher.SECTOR_SIZE;
    return Alignment.up(length, alignment) / SectorCipher.SECTOR_SIZE;
  }

  /** Returns how many bytes a header of ours takes, key material included. */
  static long areaLength(int keyLength) {
    return (ALIGNMENT_SECTORS + SLOT_COUNT * slotSectors(keyLength)) * SectorCipher.SECTOR_SIZE;
  }

  /** Returns the header, {@link #LENGTH} bytes from position to limit. */
  ByteBuffer encoded() {
    ByteBuffer bytes = ByteBuffer.allocate(LENGTH).order(ByteOrder.BIG_ENDIAN);
    bytes.put(MAGIC).putShort((short) VERSION);
    bytes.put(CIPHER_NAME_AT, ascii(cipherName)).put(CIPHER_MODE_AT, ascii(cipherMode));
    bytes.put(HASH_AT, ascii(hashName)).putInt(PAYLOAD_AT, (int) payloadSector);
    bytes.putInt(KEY_LENGTH_AT, keyLength).put(DIGEST_AT, digest.toArray());
    bytes.put(DIGEST_SALT_AT, digestSalt.toArray());
    bytes.putInt(DIGEST_ITERATIONS_AT, digestIterations).put(UUID_AT, ascii(uuid));
    bytes.position(SLOTS_AT);
    slots.forEach(slot -> bytes.put(slot.encoded()));
    return bytes.flip();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  /** Returns where a slot's record lies, in bytes from the header's start. */
  static long slotOffset(int index) {
    return SLOTS_AT + (long) index * LuksKeySlot.LENGTH;
  }

  /** Returns this header with one slot replaced. */
  LuksHeader withSlot(int index, LuksKeySlot slot) {
    List<LuksKeySlot> changed = new ArrayList<>(slots);
    changed.set(index, slot);
    return new LuksHeader(
        cipherName,
        cipherMode,
        hashName,
        payloadSector,
        keyLength,
        digest,
        digestSalt,
        digestIterations,
        uuid,
        changed);
  }

  /** Returns how many slots a passphrase opens. */
  public int activeSlotCount() {
    return (int) slots.stream().filter(LuksKeySlot::isActive).count();
  }

  /** Returns where the encrypted disk starts, in bytes from the header's start. */
  public long payloadOffset() {
    return payloadSector * SectorCipher.SECTOR_SIZE;
  }

  /**
   * Returns the cipher of the disk and of the key material.
   *
   * @throws BlockException {@code NOT_SUPPORTED} if we have no such cipher
   */
  public CipherSpec cipher() throws BlockException {
    return CipherSpec.named(cipherName, cipherMode, keyLength);
  }

  /**
   * Returns the hash of the key derivation and of the splitter.
   *
   * @throws BlockException {@code NOT_SUPPORTED} if we have no such hash
   */
  public HashAlgorithm hash() throws BlockException {
    return HashAlgorithm.named(hashName);
  }
}
