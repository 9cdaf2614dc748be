// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.crypto.CipherSpec;
import io.blkmount.block.crypto.HeaderArea;
import io.blkmount.block.crypto.LegacyKey;
import io.blkmount.block.crypto.LuksHeader;
import io.blkmount.block.crypto.LuksKeyArea;
import io.blkmount.block.crypto.SectorCipher;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Reads encrypted clusters by the rules of the format, apart from the driver. */
final class ImageDecryption {
  private static final int NONE = 0;
  private static final int LUKS = 2;
  private static final int SECTOR = SectorCipher.SECTOR_SIZE;

  /** By the digest of the master key, since each of thousands of states is opened. */
  private static final Map<ByteBuffer, SectorCipher> OPENED = new ConcurrentHashMap<>();

  private final PagedBytes data;
  private final int method;
  private final SectorCipher cipher;

  private ImageDecryption(PagedBytes data, int method, SectorCipher cipher) {
    this.data = data;
    this.method = method;
    this.cipher = cipher;
  }

  /** Guest data is in {@code data}, which is the image itself unless it has a data file. */
  static ImageDecryption of(PagedBytes image, PagedBytes data) throws CorruptImageException {
    Qcow2Layout layout = Qcow2Layout.parse(image);
    int method = ByteBuffer.wrap(image.bytes(32, 4)).getInt();
    ByteBuffer name =
        method == LUKS
            ? ByteBuffer.wrap(image.bytes(layout.cryptOffset() + 112, 52))
            : ByteBuffer.allocate(method);
    SectorCipher cipher =
        OPENED.computeIfAbsent(name, first -> cipher(image, method, layout.cryptOffset()));
    return new ImageDecryption(data, method, cipher);
  }

  private static SectorCipher cipher(PagedBytes image, int method, long offset) {
    if (method != LUKS) {
      return SectorCipher.of(CipherSpec.LEGACY_QCOW2, LegacyKey.of(TestKey.bytes()));
    }
    try {
      LuksKeyArea area = LuksKeyArea.open("image under test", new Area(image, offset));
      LuksHeader header = area.header();
      try (LuksKeyArea.Unlocked unlocked = area.unlock(TestKey.bytes())) {
        return SectorCipher.of(header.cipher(), unlocked.masterKey());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Fills {@code target} from any place of a cluster. */
  void read(long guestOffset, long hostOffset, ByteBuffer target) {
    if (method == NONE) {
      data.read(hostOffset, target);
      return;
    }
    long start = Alignment.down(hostOffset, SECTOR);
    int skipped = (int) (hostOffset - start);
    int length = (int) Alignment.up(skipped + target.remaining(), SECTOR);
    ByteBuffer sectors = ByteBuffer.wrap(data.bytes(start, length));
    long first = (method == LUKS ? start : guestOffset - skipped) / SECTOR;
    cipher.decrypt(first, sectors);
    target.put(sectors.slice(skipped, target.remaining()));
  }

  private record Area(PagedBytes image, long start) implements HeaderArea {
    @Override
    public long length() {
      return image.length() - start;
    }

    @Override
    public void read(long offset, ByteBuffer target) {
      image.read(start + offset, target);
    }

    @Override
    public void write(long offset, ByteBuffer source) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void flush() {
      throw new UnsupportedOperationException();
    }
  }
}
