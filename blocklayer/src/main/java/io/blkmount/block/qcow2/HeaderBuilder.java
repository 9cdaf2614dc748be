// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/**
 * Puts a {@link Qcow2Header} together by the names of its fields, from nothing or from another one.
 * What is not set is 0. The parameters are those of the header.
 */
final class HeaderBuilder {
  private int version;
  private long backingNameOffset;
  private int backingNameLength;
  private int clusterBits;
  private long length;
  private int cryptMethod;
  private int l1EntryCount;
  private long l1TableOffset;
  private long refcountTableOffset;
  private int refcountTableClusters;
  private int snapshotCount;
  private long snapshotTableOffset;
  private long incompatibleFeatures;
  private long compatibleFeatures;
  private long autoclearFeatures;
  private int refcountOrder;
  private int headerLength;
  private int compressionType;

  /** Returns one that says what a header says, to change some of it. */
  static HeaderBuilder from(Qcow2Header header) {
    return new HeaderBuilder()
        .version(header.version(), header.headerLength())
        .backingName(header.backingNameOffset(), header.backingNameLength())
        .clusterBits(header.clusterBits())
        .length(header.length())
        .cryptMethod(header.cryptMethod())
        .l1Table(header.l1EntryCount(), header.l1TableOffset())
        .refcountTable(header.refcountTableOffset(), header.refcountTableClusters())
        .snapshots(header.snapshotCount(), header.snapshotTableOffset())
        .features(
            header.incompatibleFeatures(), header.compatibleFeatures(), header.autoclearFeatures())
        .refcountOrder(header.refcountOrder())
        .compressionType(header.compressionType());
  }

  HeaderBuilder version(int version, int headerLength) {
    this.version = version;
    this.headerLength = headerLength;
    return this;
  }

  HeaderBuilder backingName(long offset, int length) {
    backingNameOffset = offset;
    backingNameLength = length;
    return this;
  }

  HeaderBuilder clusterBits(int bits) {
    clusterBits = bits;
    return this;
  }

  HeaderBuilder length(long length) {
    this.length = length;
    return this;
  }

  HeaderBuilder cryptMethod(int method) {
    cryptMethod = method;
    return this;
  }

  HeaderBuilder l1Table(int entryCount, long offset) {
    l1EntryCount = entryCount;
    l1TableOffset = offset;
    return this;
  }

  HeaderBuilder refcountTable(long offset, int clusters) {
    refcountTableOffset = offset;
    refcountTableClusters = clusters;
    return this;
  }

  HeaderBuilder snapshots(int count, long tableOffset) {
    snapshotCount = count;
    snapshotTableOffset = tableOffset;
    return this;
  }

  HeaderBuilder features(long incompatible, long compatible, long autoclear) {
    incompatibleFeatures = incompatible;
    compatibleFeatures = compatible;
    autoclearFeatures = autoclear;
    return this;
  }

  HeaderBuilder refcountOrder(int order) {
    refcountOrder = order;
    return this;
  }

  HeaderBuilder compressionType(int type) {
    compressionType = type;
    return this;
  }

  Qcow2Header build() {
    return new Qcow2Header(
        version,
        backingNameOffset,
        backingNameLength,
        clusterBits,
        length,
        cryptMethod,
        l1EntryCount,
        l1TableOffset,
        refcountTableOffset,
        refcountTableClusters,
        snapshotCount,
        snapshotTableOffset,
        incompatibleFeatures,
        compatibleFeatures,
        autoclearFeatures,
        refcountOrder,
        headerLength,
        compressionType);
  }
}
