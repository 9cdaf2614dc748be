// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.KeySource;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Puts {@link OpenOptions} together, from the defaults or from others of which one thing changes.
 */
final class OpenOptionsBuilder {
  private @Nullable String image;
  private Map<String, String> imageOptions = Map.of();
  private @Nullable String format;
  private boolean readOnly;
  private boolean snapshot;
  private boolean copyOnRead;
  private CacheMode cache = CacheMode.WRITEBACK;
  private DiscardMode discard = DiscardMode.IGNORE;
  private DetectZeroesMode detectZeroes = DetectZeroesMode.OFF;
  private boolean resizable;
  private boolean forceShare;
  private KeySource keys = KeySource.NONE;

  static OpenOptionsBuilder from(OpenOptions options) {
    return new OpenOptionsBuilder()
        .image(options.image())
        .imageOptions(options.imageOptions())
        .format(options.format())
        .readOnly(options.readOnly())
        .snapshot(options.snapshot())
        .copyOnRead(options.copyOnRead())
        .cache(options.cache())
        .discard(options.discard())
        .detectZeroes(options.detectZeroes())
        .resizable(options.resizable())
        .forceShare(options.forceShare())
        .keys(options.keys());
  }

  OpenOptionsBuilder image(@Nullable String image) {
    this.image = image;
    return this;
  }

  OpenOptionsBuilder imageOptions(Map<String, String> imageOptions) {
    this.imageOptions = imageOptions;
    return this;
  }

  OpenOptionsBuilder format(@Nullable String format) {
    this.format = format;
    return this;
  }

  OpenOptionsBuilder readOnly(boolean readOnly) {
    this.readOnly = readOnly;
    return this;
  }

  OpenOptionsBuilder snapshot(boolean snapshot) {
    this.snapshot = snapshot;
    return this;
  }

  OpenOptionsBuilder copyOnRead(boolean copyOnRead) {
    this.copyOnRead = copyOnRead;
    return this;
  }

  OpenOptionsBuilder cache(CacheMode cache) {
    this.cache = cache;
    return this;
  }

  OpenOptionsBuilder discard(DiscardMode discard) {
    this.discard = discard;
    return this;
  }

  OpenOptionsBuilder detectZeroes(DetectZeroesMode detectZeroes) {
    this.detectZeroes = detectZeroes;
    return this;
  }

  OpenOptionsBuilder resizable(boolean resizable) {
    this.resizable = resizable;
    return this;
  }

  OpenOptionsBuilder forceShare(boolean forceShare) {
    this.forceShare = forceShare;
    return this;
  }

  OpenOptionsBuilder keys(KeySource keys) {
    this.keys = keys;
    return this;
  }

  OpenOptions build() {
    return new OpenOptions(
        image,
        imageOptions,
        format,
        readOnly,
        snapshot,
        copyOnRead,
        cache,
        discard,
        detectZeroes,
        resizable,
        forceShare,
        keys);
  }
}
