// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static io.blkmount.block.qcow2.Qcow2CreateOptions.invalid;

import io.blkmount.block.driver.Amendable.Secrets;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What happens to a key slot, from the options of {@code qemu-img amend -o}. Unlike QEMU, which has
 * the image open, a key that opens it is always named to add another.
 *
 * @param isAdded whether a key is added, else one is erased
 * @param oldSecret id of the key that opens the image or is erased
 * @param newSecret id of the key that is added
 * @param slot its index from 0
 * @param iterationMillis how long a try of the new key shall take
 */
record KeyAmendment(
    boolean isAdded,
    @Nullable String oldSecret,
    @Nullable String newSecret,
    @Nullable Integer slot,
    long iterationMillis) {
  private static final String STATE = NewEncryption.PREFIX + "state";
  private static final String OLD_SECRET = NewEncryption.PREFIX + "old-secret";
  private static final String NEW_SECRET = NewEncryption.PREFIX + "new-secret";
  private static final String KEY_SLOT = NewEncryption.PREFIX + "keyslot";
  private static final String ITERATION_TIME = NewEncryption.PREFIX + "iter-time";

  /**
   * Takes the options that are about keys.
   *
   * @param rest what is taken is removed
   * @return null if there are none
   * @throws BlockException {@code INVALID} if they do not go together
   */
  static @Nullable KeyAmendment take(Map<String, String> rest) throws BlockException {
    if (rest.keySet().stream().noneMatch(name -> name.startsWith(NewEncryption.PREFIX))) {
      return null;
    }
    String state = rest.remove(STATE);
    boolean isAdded = "active".equals(state);
    require(state != null, STATE, "active or inactive is needed");
    require(isAdded || "inactive".equals(state), STATE, state + " is none of active, inactive");
    requireFitting(rest, isAdded);
    return new KeyAmendment(
        isAdded,
        rest.remove(OLD_SECRET),
        rest.remove(NEW_SECRET),
        slot(rest.remove(KEY_SLOT)),
        NewEncryption.millis(rest.remove(ITERATION_TIME)));
  }

  private static void requireFitting(Map<String, String> rest, boolean isAdded)
      throws BlockException {
    if (isAdded) {
      require(rest.containsKey(OLD_SECRET), OLD_SECRET, "a key that opens the image is needed");
      require(rest.containsKey(NEW_SECRET), NEW_SECRET, "a key to be added is needed");
      return;
    }
    require(!rest.containsKey(NEW_SECRET), NEW_SECRET, "no key is added to an inactive slot");
    require(!rest.containsKey(ITERATION_TIME), ITERATION_TIME, "no key is added");
    require(
        rest.containsKey(OLD_SECRET) != rest.containsKey(KEY_SLOT),
        KEY_SLOT,
        "either a slot or " + OLD_SECRET + " says what is erased");
  }

  private static void require(boolean condition, String name, String problem)
      throws BlockException {
    if (!condition) {
      throw invalid(name, problem);
    }
  }

  private static @Nullable Integer slot(@Nullable String text) throws BlockException {
    try {
      return text == null ? null : Integer.valueOf(text);
    } catch (NumberFormatException notANumber) {
      throw invalid(KEY_SLOT, text + " is no number");
    }
  }

  /** Does it; what the keys do not allow fails before anything changes. */
  void run(Qcow2Keys keys, Secrets secrets) throws IOException {
    if (isAdded) {
      withKey(secrets, OLD_SECRET, oldSecret, old -> addTo(keys, secrets, old));
    } else if (slot != null) {
      keys.eraseSlot(slot);
    } else {
      withKey(secrets, OLD_SECRET, oldSecret, keys::erase);
    }
  }

  private void addTo(Qcow2Keys keys, Secrets secrets, byte[] old) throws IOException {
    withKey(
        secrets,
        NEW_SECRET,
        newSecret,
        added -> {
          if (slot == null) {
            int unused = keys.add(old, added, iterationMillis);
          } else {
            keys.addTo(slot, old, added, iterationMillis);
          }
        });
  }

  private interface KeyUser {
    void use(byte[] key) throws IOException;
  }

  private static void withKey(Secrets secrets, String option, @Nullable String id, KeyUser user)
      throws IOException {
    byte[] key = id == null ? null : secrets.secret(id);
    if (key == null) {
      throw new BlockException(
          BlockError.ACCESS_DENIED, "qcow2 option " + option + ": no secret has the id " + id);
    }
    try {
      user.use(key);
    } finally {
      Arrays.fill(key, (byte) 0);
    }
  }
}
