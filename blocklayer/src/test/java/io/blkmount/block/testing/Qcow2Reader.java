// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import com.github.luben.zstd.ZstdInputStream;
import io.blkmount.block.error.CorruptImageException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Reads guest bytes of a qcow2 image by the rules of the format, apart from the driver. */
public final class Qcow2Reader {
  /** What lies below: guest bytes that the image does not hold. */
  public interface Backing {
    /**
     * Fills {@code target}; zeros past its end.
     *
     * @param offset guest byte
     * @param target filled to its limit
     */
    void read(long offset, ByteBuffer target);
  }

  private final PagedBytes image;
  private final Qcow2Layout layout;
  private final Backing backing;
  private final ImageDecryption decryption;

  /** By their entries: who reads sector by sector wants each of them many times. */
  private final Map<Long, byte[]> inflated = new HashMap<>();

  /**
   * Opens an image; with {@link TestKey} if it is encrypted.
   *
   * @param image all of its bytes
   * @param backing what lies below; {@code new PagedBytes(0)::read} for nothing
   * @throws CorruptImageException if the header is wrong
   */
  public Qcow2Reader(PagedBytes image, Backing backing) throws CorruptImageException {
    this(image, image, backing);
  }

  /**
   * Opens an image with an external data file.
   *
   * @param image all of its bytes
   * @param data all bytes of the data file; the same as {@code image} if there is none
   * @param backing what lies below
   * @throws CorruptImageException if the header is wrong
   */
  public Qcow2Reader(PagedBytes image, PagedBytes data, Backing backing)
      throws CorruptImageException {
    this(image, Qcow2Layout.parse(image), backing, ImageDecryption.of(image, data));
  }

  private Qcow2Reader(
      PagedBytes image, Qcow2Layout layout, Backing backing, ImageDecryption decryption) {
    this.image = image;
    this.layout = layout;
    this.backing = backing;
    this.decryption = decryption;
  }

  /** Returns a reader of the first internal snapshot. */
  public Qcow2Reader firstSnapshot() {
    return snapshot(0);
  }

  /**
   * Returns a reader of an internal snapshot.
   *
   * @param index in the snapshot table
   */
  public Qcow2Reader snapshot(int index) {
    return new Qcow2Reader(image, layout.ofSnapshot(image, index), backing, decryption);
  }

  /** Returns the header. */
  public Qcow2Layout layout() {
    return layout;
  }

  /** Returns the length of the virtual disk in bytes. */
  public long length() {
    return layout.size();
  }

  /**
   * Reads guest bytes.
   *
   * @param offset in bytes
   * @param target filled to its limit; inside the disk
   * @throws IOException if a compressed cluster does not inflate
   */
  public void read(long offset, ByteBuffer target) throws IOException {
    int unit = layout.isExtended() ? layout.clusterSize() / 32 : layout.clusterSize();
    int limit = target.limit();
    while (target.position() < limit) {
      int part = (int) Math.min(unit - offset % unit, limit - target.position());
      target.limit(target.position() + part);
      readInUnit(offset, target);
      offset += part;
    }
  }

  private void readInUnit(long offset, ByteBuffer target) throws IOException {
    long l2Offset =
        image.getLong(layout.l1Offset() + offset / layout.l2Span() * 8) & Qcow2Layout.OFFSET_MASK;
    long index = offset % layout.l2Span() >> layout.clusterBits();
    long at = l2Offset + index * layout.l2EntrySize();
    long entry = l2Offset == 0 ? 0 : image.getLong(at);
    long inCluster = offset & (layout.clusterSize() - 1);
    if ((entry & 1L << 62) != 0) {
      target.put(inflated(entry), (int) inCluster, target.remaining());
      return;
    }
    boolean[] zeroAndData = zeroAndData(entry, l2Offset == 0 ? 0 : image.getLong(at + 8), offset);
    if (zeroAndData[0]) {
      target.put(new byte[target.remaining()]);
    } else if (zeroAndData[1]) {
      decryption.read(offset, (entry & Qcow2Layout.OFFSET_MASK) + inCluster, target);
    } else {
      backing.read(offset, target);
    }
  }

  private boolean[] zeroAndData(long entry, long bitmap, long offset) {
    if (!layout.isExtended()) {
      boolean zero = layout.version() == 3 && (entry & 1) != 0;
      return new boolean[] {zero, layout.hasHostCluster(entry)};
    }
    long sub = (offset & (layout.clusterSize() - 1)) / (layout.clusterSize() / 32);
    return new boolean[] {(bitmap >>> 32 + sub & 1) != 0, (bitmap >>> sub & 1) != 0};
  }

  private byte[] inflated(long entry) throws IOException {
    byte[] cluster = inflated.get(entry);
    if (cluster == null) {
      cluster = inflate(entry);
      inflated.put(entry, cluster);
    }
    return cluster;
  }

  private byte[] inflate(long entry) throws IOException {
    long offset = layout.compressedOffset(entry);
    int length = (int) (layout.compressedSpan(entry) - offset % 512);
    byte[] input = image.bytes(offset, length);
    byte[] output =
        layout.compressionType() == 1
            ? new ZstdInputStream(new ByteArrayInputStream(input)).readNBytes(layout.clusterSize())
            : deflated(input);
    if (output.length != layout.clusterSize()) {
      throw new CorruptImageException("compressed cluster", offset, "too short");
    }
    return output;
  }

  private byte[] deflated(byte[] input) throws CorruptImageException {
    Inflater inflater = new Inflater(true);
    try {
      // One byte more than there is: the inflater asks for it at the end of raw data.
      inflater.setInput(Arrays.copyOf(input, input.length + 1));
      byte[] output = new byte[layout.clusterSize()];
      int done = inflater.inflate(output);
      return Arrays.copyOf(output, done);
    } catch (DataFormatException e) {
      throw new CorruptImageException("compressed cluster does not inflate: " + e.getMessage());
    } finally {
      inflater.end();
    }
  }
}
