// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.HostCalls;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The one key of all encrypted images of a mount: got when the first of them asks for it, from a
 * file or from the terminal, and wiped when all are open.
 */
final class MountKey implements KeySource, AutoCloseable {
  /** Far more than any key has; a device without an end is no key. */
  private static final int MAX_LENGTH = 1 << 20;

  /** Set by the launcher if the key file is one of its caller's descriptors. */
  private static final String DESCRIPTOR = "BLKMOUNT_KEY_DESCRIPTOR";

  private final @Nullable String file;
  private boolean wasAsked;
  private byte @Nullable [] key;

  /**
   * Creates a source; nothing is read yet.
   *
   * @param file absolute name of the key file, or null to ask
   */
  MountKey(@Nullable String file) {
    this.file = file;
  }

  @Override
  public byte @Nullable [] keyOf(String imageName) throws IOException {
    wasAsked = true;
    if (key == null) {
      key = file == null ? typed(imageName) : read(file);
    }
    return key == null ? null : key.clone();
  }

  private static byte @Nullable [] typed(String imageName) throws IOException {
    File terminal = HiddenPrompt.terminal();
    return terminal == null
        ? null
        : HiddenPrompt.ask(terminal, "Key of \"" + HostName.printable(imageName) + "\": ");
  }

  /** Every byte counts, a newline at the end too, as it does for QEMU's secret,file=. */
  private static byte[] read(String file) throws IOException {
    try (InputStream content = Files.newInputStream(HostPath.of(file))) {
      byte[] bytes = content.readNBytes(MAX_LENGTH + 1);
      if (bytes.length > MAX_LENGTH) {
        Arrays.fill(bytes, (byte) 0);
        throw new BlockException(BlockError.TOO_BIG, "it has more than " + MAX_LENGTH + " bytes");
      }
      return bytes;
    } catch (IOException e) {
      throw new BlockException(
          BlockException.errorOf(e),
          "cannot read the key file \"" + HostName.printable(file) + "\": " + MountPoint.reason(e),
          e);
    }
  }

  /** Returns what to say behind the reason why an image was not opened; often nothing. */
  String hint(IOException failure) {
    if (!wasAsked || BlockException.errorOf(failure) != BlockError.ACCESS_DENIED) {
      return "";
    }
    if (key == null) {
      return file == null ? " (--secret-file FILE)" : "";
    }
    boolean endsWithNewline = file != null && key.length > 0 && key[key.length - 1] == '\n';
    return endsWithNewline ? " (the newline at the end of the key file is part of the key)" : "";
  }

  /** Wipes the key, and closes the descriptor that it came over. */
  @Override
  public void close() {
    if (key != null) {
      Arrays.fill(key, (byte) 0);
    }
    @Nullable String descriptor = ProcessWords.variable(DESCRIPTOR);
    if (descriptor != null) {
      HostCalls.close(Integer.parseInt(descriptor));
    }
  }
}
