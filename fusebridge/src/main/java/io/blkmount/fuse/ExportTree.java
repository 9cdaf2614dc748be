// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a mount shows: a directory with one regular file per image, or one regular file as root.
 *
 * <p>A tree never changes; whoever wants another one replaces it whole. Inode {@link #ROOT_INODE}
 * is the root, the files of a directory follow in the order in which they were given.
 */
public final class ExportTree {
  /** The kernel's number for the root of a mount. */
  public static final long ROOT_INODE = 1;

  private final @Nullable Export rootFile;
  private final Map<String, Entry> files;
  private final Entry[] byInode;

  private ExportTree(@Nullable Export rootFile, Map<String, Entry> files) {
    this.rootFile = rootFile;
    this.files = files;
    this.byInode = files.values().toArray(Entry[]::new);
  }

  /**
   * Returns a directory that shows each disk as {@code NAME.raw}: the image's file name with its
   * last extension replaced, and {@code -2}, {@code -3} and so on where that name is taken.
   *
   * @param disks in the order in which the directory lists them
   */
  public static ExportTree directory(List<BlockBackend> disks) {
    Map<String, Entry> files = new LinkedHashMap<>();
    for (BlockBackend disk : disks) {
      String name = ExportNames.free(disk.imageName(), files.keySet());
      long inode = ROOT_INODE + 1 + files.size();
      files.put(name, new Entry(inode, name, Export.of(disk)));
    }
    return new ExportTree(null, files);
  }

  /**
   * Returns a tree that is one file: the mount point, a regular file, becomes the disk.
   *
   * @param disk what the file shows
   */
  public static ExportTree file(BlockBackend disk) {
    return new ExportTree(Export.of(disk), Map.of());
  }

  /** Returns whether the root is a directory; else it is the one file. */
  public boolean isDirectory() {
    return rootFile == null;
  }

  /** Returns the root. */
  public Entry root() {
    return new Entry(ROOT_INODE, "", rootFile);
  }

  /** Returns the files of the root directory, none if the root is a file. */
  public List<Entry> files() {
    return List.copyOf(files.values());
  }

  /** Returns the root and its files. */
  public List<Entry> entries() {
    return Stream.concat(Stream.of(root()), files.values().stream()).toList();
  }

  /** Returns every disk that is shown. */
  List<Export> exports() {
    return rootFile != null
        ? List.of(rootFile)
        : files.values().stream().map(Entry::export).filter(Objects::nonNull).toList();
  }

  /**
   * Returns the file of that name in the root directory, or null.
   *
   * @param name one path component
   */
  public @Nullable Entry lookup(String name) {
    return files.get(name);
  }

  /**
   * Returns what an inode stands for, or null.
   *
   * @param inode the kernel's number for it
   */
  public @Nullable Entry entry(long inode) {
    if (inode == ROOT_INODE) {
      return root();
    }
    long index = inode - ROOT_INODE - 1;
    return index >= 0 && index < byInode.length ? byInode[(int) index] : null;
  }

  /**
   * One thing with an inode.
   *
   * @param inode the kernel's number for it
   * @param name in the root directory; empty for the root
   * @param export what a file shows, null for the root directory
   */
  public record Entry(long inode, String name, @Nullable Export export) {}
}
