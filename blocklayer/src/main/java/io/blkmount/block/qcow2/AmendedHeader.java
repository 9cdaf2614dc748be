// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.FeatureBits.Feature;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the first cluster of an image shall say when its properties have changed. */
final class AmendedHeader {
  private final AmendRules rules;
  private final FirstCluster now;
  private final Qcow2Header header;
  private final Qcow2AmendOptions options;
  private final int version;

  private AmendedHeader(AmendRules rules, FirstCluster now, Qcow2AmendOptions options) {
    this.rules = rules;
    this.now = now;
    this.header = now.header();
    this.options = options;
    this.version = options.version() == null ? header.version() : options.version();
  }

  /**
   * Returns it, with the refcounts where they are.
   *
   * @param now what it says, not dirty
   * @throws BlockException if the image cannot be so
   */
  static FirstCluster of(AmendRules rules, FirstCluster now, Qcow2AmendOptions options)
      throws BlockException {
    return new AmendedHeader(rules, now, options).changed();
  }

  private FirstCluster changed() throws BlockException {
    String name = backingName();
    HeaderExtensions bare = extensions(name, Map.of());
    Qcow2Header next = header();
    HeaderExtensions extensions = extensions(name, featureNames(next, bare, name));
    rules.requireFits(FirstCluster.length(next, extensions, name), next.clusterSize());
    return now.changedTo(next, extensions, name);
  }

  private Qcow2Header header() throws BlockException {
    if (version < 3) {
      rules.requireForVersion2(now);
      rules.require(
          !Boolean.TRUE.equals(options.lazyRefcounts()),
          BlockError.INVALID,
          Qcow2CreateOptions.LAZY_REFCOUNTS,
          "compat=0.10 has none, compat=1.1 is needed");
    }
    long autoclear = autoclear();
    HeaderBuilder next =
        HeaderBuilder.from(header).version(version, headerLength()).refcountOrder(refcountOrder());
    return version < 3
        ? next.features(0, 0, 0).build()
        : next.features(header.incompatibleFeatures(), compatible(), autoclear).build();
  }

  private int headerLength() {
    int fresh = version < 3 ? Qcow2Header.V2_LENGTH : Qcow2Header.V3_LENGTH;
    return version == header.version() ? header.headerLength() : fresh;
  }

  private int refcountOrder() throws BlockException {
    Integer asked = options.refcountOrder();
    int order = asked == null ? header.refcountOrder() : asked;
    rules.require(
        version >= 3 || order == Qcow2Header.V2_REFCOUNT_ORDER,
        BlockError.INVALID,
        Qcow2CreateOptions.REFCOUNT_BITS,
        "compat=0.10 has refcounts of 16 bits, not " + (1 << order));
    return order;
  }

  private long compatible() {
    long others = header.compatibleFeatures() & ~FeatureBits.LAZY_REFCOUNTS;
    Boolean asked = options.lazyRefcounts();
    if (asked == null) {
      return header.compatibleFeatures();
    }
    return asked ? others | FeatureBits.LAZY_REFCOUNTS : others;
  }

  /** Whoever set bits that are not known must see that the image was changed. */
  private long autoclear() throws BlockException {
    long known = header.autoclearFeatures() & FeatureBits.KNOWN_AUTOCLEAR;
    boolean isRaw = FeatureBits.hasRawData(header);
    rules.require(
        isRaw || !Boolean.TRUE.equals(options.rawData()),
        BlockError.INVALID,
        Qcow2CreateOptions.DATA_FILE_RAW,
        "it can only be switched on when an image is made");
    return Boolean.FALSE.equals(options.rawData()) ? known & ~FeatureBits.RAW_EXTERNAL_DATA : known;
  }

  private @Nullable String backingName() throws BlockException {
    String asked = options.backingFile();
    String name = asked == null ? now.backingName() : asked.isEmpty() ? null : asked;
    if (asked != null && name != null) {
      rules.requireNameLength(Qcow2AmendOptions.BACKING_FILE, name, HeaderReader.MAX_BACKING_NAME);
      rules.require(
          options.backingFormat() != null || name.equals(now.backingName()),
          BlockError.INVALID,
          Qcow2AmendOptions.BACKING_FILE,
          "its format has to be said with " + Qcow2AmendOptions.BACKING_FORMAT);
      rules.require(
          !FeatureBits.hasRawData(header) || Boolean.FALSE.equals(options.rawData()),
          BlockError.INVALID,
          Qcow2AmendOptions.BACKING_FILE,
          "it does not go together with a raw data file");
    }
    return name;
  }

  private HeaderExtensions extensions(@Nullable String name, Map<Feature, String> featureNames)
      throws BlockException {
    HeaderExtensions old = now.extensions();
    return new HeaderExtensions(
        backingFormat(name),
        dataFile(),
        old.crypto(),
        featureNames,
        old.bitmaps(),
        old.unknown().stream().filter(each -> each.type() != HeaderSwitch.SKIP).toList());
  }

  private @Nullable String backingFormat(@Nullable String name) throws BlockException {
    String asked = options.backingFormat();
    if (asked == null || asked.isEmpty()) {
      return name == null ? null : now.extensions().backingFormat();
    }
    rules.require(
        name != null,
        BlockError.INVALID,
        Qcow2AmendOptions.BACKING_FORMAT,
        "the image has no backing file");
    rules.requireNameLength(
        Qcow2AmendOptions.BACKING_FORMAT, asked, ExtensionReader.MAX_BACKING_FORMAT);
    return asked;
  }

  private @Nullable String dataFile() throws BlockException {
    String asked = options.dataFile();
    if (asked == null) {
      return now.extensions().dataFileName();
    }
    rules.require(
        header.hasIncompatible(FeatureBits.EXTERNAL_DATA_FILE),
        BlockError.INVALID,
        Qcow2CreateOptions.DATA_FILE,
        "the image keeps its data in its own file");
    return asked.isEmpty() ? null : asked;
  }

  private Map<Feature, String> featureNames(
      Qcow2Header next, HeaderExtensions bare, @Nullable String name) {
    if (version == header.version()) {
      return now.extensions().featureNames();
    }
    int left = next.clusterSize() - FirstCluster.length(next, bare, name);
    return version >= 3 && left >= NewFirstCluster.FEATURE_NAMES_NEED
        ? FeatureBits.names()
        : Map.of();
  }
}
