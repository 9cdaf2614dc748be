// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;

/**
 * A LUKS header with its eight key slots: tries passphrases, adds and erases them. For one thread
 * at a time.
 *
 * <p>A slot is durable before its record says so, and its key material is gone for good before the
 * record does: a crash leaves a slot that opens, or one that no passphrase opens.
 */
public final class LuksKeyArea {
  private final LuksRules rules;
  private final HeaderArea area;
  private final SecureRandom random = new SecureRandom();
  private final KeyMaterial keyMaterial;
  private LuksHeader header;

  LuksKeyArea(LuksRules rules, HeaderArea area, LuksHeader header) throws BlockException {
    this.rules = rules;
    this.area = area;
    this.header = header;
    this.keyMaterial = new KeyMaterial(supportedCipher(rules, header), header.hash());
  }

  private static CipherSpec supportedCipher(LuksRules rules, LuksHeader header)
      throws BlockException {
    try {
      header.hash();
      return header.cipher();
    } catch (BlockException e) {
      throw new BlockException(e.error(), rules.message("LUKS header: " + e.getMessage()), e);
    }
  }

  /**
   * Reads the header.
   *
   * @param imageName for messages
   * @param area where it is stored
   * @throws BlockException as {@link LuksHeader#parse} has it, or {@code NOT_SUPPORTED} if we do
   *     not have the cipher or the hash
   * @throws IOException if the area cannot be read
   */
  public static LuksKeyArea open(String imageName, HeaderArea area) throws IOException {
    long length = area.length();
    ByteBuffer start = ByteBuffer.allocate((int) Math.min(LuksHeader.LENGTH, length));
    area.read(0, start);
    LuksRules rules = new LuksRules(imageName);
    return new LuksKeyArea(rules, area, LuksHeader.parse(imageName, start.flip(), length));
  }

  /** Returns the header as it is stored now. */
  public LuksHeader header() {
    return header;
  }

  /**
   * What a passphrase opened.
   *
   * @param slotIndex from 0
   * @param masterKey whoever has it closes it
   */
  public record Unlocked(int slotIndex, SecretBytes masterKey) implements AutoCloseable {
    /** Wipes the key. */
    @Override
    public void close() {
      masterKey.close();
    }
  }

  /**
   * Returns the master key, from the first active slot that the passphrase opens.
   *
   * @param passphrase exactly as the user gave it; stays the caller's, who wipes it
   * @throws BlockException {@code ACCESS_DENIED} if it opens none
   * @throws IOException if the key material cannot be read
   */
  public Unlocked unlock(byte[] passphrase) throws IOException {
    for (int index : activeSlots()) {
      SecretBytes masterKey = candidate(header.slots().get(index), passphrase);
      if (digest().matches(masterKey)) {
        return new Unlocked(index, masterKey);
      }
      masterKey.close();
    }
    throw new BlockException(
        BlockError.ACCESS_DENIED,
        rules.message(
            "wrong key: the passphrase opens none of the "
                + header.activeSlotCount()
                + " active LUKS key slots"));
  }

  /**
   * Returns the slots that a passphrase opens, by their indices from 0.
   *
   * @param passphrase exactly as the user gave it; stays the caller's
   * @throws IOException if the key material cannot be read
   */
  public List<Integer> slotsOf(byte[] passphrase) throws IOException {
    List<Integer> opened = new ArrayList<>();
    for (int index : activeSlots()) {
      try (SecretBytes masterKey = candidate(header.slots().get(index), passphrase)) {
        if (digest().matches(masterKey)) {
          opened.add(index);
        }
      }
    }
    return opened;
  }

  /** Returns the slots that some passphrase opens, by their indices from 0. */
  public List<Integer> activeSlots() {
    List<Integer> active = new ArrayList<>();
    for (int index = 0; index < header.slots().size(); index++) {
      if (header.slots().get(index).isActive()) {
        active.add(index);
      }
    }
    return active;
  }

  private SecretBytes candidate(LuksKeySlot slot, byte[] passphrase) throws IOException {
    ByteRange place = slot.material(header.keyLength());
    ByteBuffer stored = ByteBuffer.allocate((int) place.length());
    area.read(place.offset(), stored);
    return keyMaterial.unlock(stored.array(), slot, passphrase);
  }

  private MasterKeyDigest digest() throws BlockException {
    return new MasterKeyDigest(
        header.hash(), header.digestSalt(), header.digestIterations(), header.digest());
  }

  /**
   * Adds a passphrase in the first free slot.
   *
   * @param masterKey of this header; stays the caller's
   * @param passphrase exactly as the user gave it; stays the caller's
   * @param iterationMillis how long a try of it shall take on this machine
   * @param timer of this machine
   * @return the slot's index, from 0
   * @throws BlockException {@code NO_SPACE} if all slots are active
   * @throws IOException if the area cannot be written
   */
  public int add(
      SecretBytes masterKey, byte[] passphrase, long iterationMillis, IterationTimer timer)
      throws IOException {
    int index = requireFreeSlot();
    addTo(index, masterKey, passphrase, iterationMillis, timer);
    return index;
  }

  /**
   * Adds a passphrase in a slot.
   *
   * @param index of the slot, from 0
   * @param masterKey of this header; stays the caller's
   * @param passphrase exactly as the user gave it; stays the caller's
   * @param iterationMillis how long a try of it shall take on this machine
   * @param timer of this machine
   * @throws BlockException {@code INVALID} if there is no such slot, or it is active
   * @throws IOException if the area cannot be written
   */
  public void addTo(
      int index,
      SecretBytes masterKey,
      byte[] passphrase,
      long iterationMillis,
      IterationTimer timer)
      throws IOException {
    if (!digest().matches(masterKey)) {
      throw new IllegalArgumentException("the master key is not the one of this header");
    }
    requireFree(index);
    int iterations = timer.iterationsFor(header.hash(), header.keyLength(), iterationMillis);
    FixedBytes salt = FixedBytes.random(LuksHeader.SALT_LENGTH, random);
    LuksKeySlot slot = header.slots().get(index).activated(iterations, salt);
    byte[] material = keyMaterial.lock(masterKey, slot, passphrase, random);
    writeMaterial(slot, material);
    writeSlot(index, slot);
  }

  private void requireFree(int index) throws BlockException {
    int count = header.slots().size();
    if (index < 0 || index >= count) {
      throw new BlockException(
          BlockError.INVALID,
          rules.message("LUKS key slot " + index + ": there are " + count + ", from 0"));
    }
    if (header.slots().get(index).isActive()) {
      throw new BlockException(
          BlockError.INVALID, rules.message("LUKS key slot " + index + " is active already"));
    }
  }

  private int requireFreeSlot() throws BlockException {
    for (int index = 0; index < header.slots().size(); index++) {
      if (!header.slots().get(index).isActive()) {
        return index;
      }
    }
    throw new BlockException(
        BlockError.NO_SPACE, rules.message("all 8 LUKS key slots are active; erase one first"));
  }

  /**
   * Erases a passphrase: overwrites its key material, then frees its slot.
   *
   * @param slotIndex from 0
   * @throws BlockException {@code INVALID} if there is no such active slot, {@code NOT_PERMITTED}
   *     if no other is, since then nothing would ever open the image again
   * @throws IOException if the area cannot be written
   */
  public void erase(int slotIndex) throws IOException {
    requireErasable(slotIndex);
    LuksKeySlot slot = header.slots().get(slotIndex);
    byte[] noise = new byte[(int) slot.material(header.keyLength()).length()];
    random.nextBytes(noise);
    writeMaterial(slot, noise);
    writeSlot(slotIndex, slot.erased());
  }

  /**
   * Fails if {@link #erase} would.
   *
   * @param slotIndex from 0
   * @throws BlockException as there
   */
  public void requireErasable(int slotIndex) throws BlockException {
    if (!activeSlots().contains(slotIndex)) {
      throw new BlockException(
          BlockError.INVALID, rules.message("LUKS key slot " + slotIndex + " is not active"));
    }
    if (header.activeSlotCount() == 1) {
      throw new BlockException(
          BlockError.NOT_PERMITTED,
          rules.message(
              "LUKS key slot "
                  + slotIndex
                  + " is the last active one; without it nothing opens the image"));
    }
  }

  private void writeMaterial(LuksKeySlot slot, byte[] material) throws IOException {
    area.write(slot.material(header.keyLength()).offset(), ByteBuffer.wrap(material));
    area.flush();
  }

  /** Only the record: no other byte of the header is at risk. */
  private void writeSlot(int index, LuksKeySlot slot) throws IOException {
    area.write(LuksHeader.slotOffset(index), slot.encoded());
    area.flush();
    header = header.withSlot(index, slot);
  }
}
