// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.KeySource;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What an image is opened with; {@link #of} gives the defaults, the {@code with} methods change one
 * thing each.
 *
 * @param image the file name, or null when {@code imageOptions} names it
 * @param imageOptions QEMU's dotted options ({@code driver}, {@code file.filename}, {@code
 *     backing.driver} and so on); often empty for a plain name
 * @param format driver name, or null to probe
 * @param readOnly never write
 * @param snapshot writes go to a temporary overlay that is gone at close
 * @param copyOnRead what is read from a backing file is stored in the image
 * @param cache how writes meet page cache and medium
 * @param discard what becomes of discard requests
 * @param detectZeroes what becomes of writes of zeros
 * @param resizable the disk may be truncated and grown by its user
 * @param forceShare take no locks; only for reading
 * @param keys where the keys of encrypted images come from, the backing files included
 */
public record OpenOptions(
    @Nullable String image,
    Map<String, String> imageOptions,
    @Nullable String format,
    boolean readOnly,
    boolean snapshot,
    boolean copyOnRead,
    CacheMode cache,
    DiscardMode discard,
    DetectZeroesMode detectZeroes,
    boolean resizable,
    boolean forceShare,
    KeySource keys) {

  /** Checks that there is an image and copies the map. */
  public OpenOptions {
    imageOptions = Map.copyOf(imageOptions);
    if (image == null && imageOptions.isEmpty()) {
      throw new IllegalArgumentException("no image");
    }
    Objects.requireNonNull(cache);
    Objects.requireNonNull(discard);
    Objects.requireNonNull(detectZeroes);
    Objects.requireNonNull(keys);
  }

  /**
   * Returns the defaults for an image by name: probed, writable, writeback, discard ignored.
   *
   * @param image file name, {@code file:NAME} or {@code host_device:NAME}; a name that exists as it
   *     stands is a file name even with a colon in it
   */
  public static OpenOptions of(String image) {
    return new OpenOptionsBuilder().image(image).build();
  }

  /**
   * Returns the defaults for an image that QEMU's dotted options describe.
   *
   * @param options such as {@code driver=qcow2}, {@code file.filename=a.qcow2}
   */
  public static OpenOptions ofImageOptions(Map<String, String> options) {
    return new OpenOptionsBuilder().imageOptions(options).build();
  }

  /**
   * Returns these options with one more of QEMU's dotted options.
   *
   * @param key such as {@code internal-snapshot}
   * @param value of it
   */
  public OpenOptions withImageOption(String key, String value) {
    Map<String, String> more = new HashMap<>(imageOptions);
    more.put(key, value);
    return OpenOptionsBuilder.from(this).imageOptions(more).build();
  }

  /**
   * Returns these options with another {@code format}.
   *
   * @param format driver name, or null to probe
   */
  public OpenOptions withFormat(@Nullable String format) {
    return OpenOptionsBuilder.from(this).format(format).build();
  }

  /**
   * Returns these options with another {@code readOnly}.
   *
   * @param readOnly never write
   */
  public OpenOptions withReadOnly(boolean readOnly) {
    return OpenOptionsBuilder.from(this).readOnly(readOnly).build();
  }

  /**
   * Returns these options with another {@code snapshot}.
   *
   * @param snapshot write to a temporary overlay
   */
  public OpenOptions withSnapshot(boolean snapshot) {
    return OpenOptionsBuilder.from(this).snapshot(snapshot).build();
  }

  /**
   * Returns these options with another {@code copyOnRead}.
   *
   * @param copyOnRead store what is read from a backing file
   */
  public OpenOptions withCopyOnRead(boolean copyOnRead) {
    return OpenOptionsBuilder.from(this).copyOnRead(copyOnRead).build();
  }

  /**
   * Returns these options with another {@code cache}.
   *
   * @param cache how writes meet page cache and medium
   */
  public OpenOptions withCache(CacheMode cache) {
    return OpenOptionsBuilder.from(this).cache(cache).build();
  }

  /**
   * Returns these options with another {@code discard}.
   *
   * @param discard what becomes of discards
   */
  public OpenOptions withDiscard(DiscardMode discard) {
    return OpenOptionsBuilder.from(this).discard(discard).build();
  }

  /**
   * Returns these options with another {@code detectZeroes}.
   *
   * @param detectZeroes what becomes of writes of zeros
   */
  public OpenOptions withDetectZeroes(DetectZeroesMode detectZeroes) {
    return OpenOptionsBuilder.from(this).detectZeroes(detectZeroes).build();
  }

  /**
   * Returns these options with another {@code resizable}.
   *
   * @param resizable whether the disk's user may change its length
   */
  public OpenOptions withResizable(boolean resizable) {
    return OpenOptionsBuilder.from(this).resizable(resizable).build();
  }

  /**
   * Returns these options with another {@code forceShare}.
   *
   * @param forceShare take no locks
   */
  public OpenOptions withForceShare(boolean forceShare) {
    return OpenOptionsBuilder.from(this).forceShare(forceShare).build();
  }

  /**
   * Returns these options with another {@code keys}.
   *
   * @param keys where the keys of encrypted images come from
   */
  public OpenOptions withKeys(KeySource keys) {
    return OpenOptionsBuilder.from(this).keys(keys).build();
  }
}
