// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ExportTreeTest {
  @TempDir Path folder;
  private BlockBackend first;
  private BlockBackend second;

  @BeforeEach
  void openDisks() throws IOException {
    first = RawDisks.open(RawDisks.create(folder.resolve("disk.img"), 4096));
    Path other = Files.createDirectory(folder.resolve("other")).resolve("disk.qcow2");
    second = RawDisks.open(RawDisks.create(other, 8192));
  }

  @AfterEach
  void closeDisks() throws IOException {
    first.close();
    second.close();
  }

  @Test
  void directoryShowsEachDiskOnceInTheOrderGiven() {
    ExportTree tree = ExportTree.directory(List.of(first, second));

    assertThat(tree.isDirectory()).isTrue();
    assertThat(tree.files())
        .extracting(ExportTree.Entry::name)
        .containsExactly("disk.raw", "disk-2.raw");
    assertThat(tree.files()).extracting(ExportTree.Entry::inode).containsExactly(2L, 3L);
    assertThat(tree.lookup("disk-2.raw").export().disk()).isSameAs(second);
    assertThat(tree.lookup("disk")).isNull();
  }

  @Test
  void singleFileIsTheRootItself() {
    ExportTree tree = ExportTree.file(first);

    assertThat(tree.isDirectory()).isFalse();
    assertThat(tree.root().export().disk()).isSameAs(first);
    assertThat(tree.root().inode()).isEqualTo(ExportTree.ROOT_INODE);
    assertThat(tree.files()).isEmpty();
  }

  @Test
  void handlesAreCountedAndKeepTheirFile() throws IOException {
    ExportTree.Entry file = ExportTree.file(first).root();
    OpenExports handles = new OpenExports();

    long handle = handles.open(file, OpenFlags.READ_WRITE);
    long another = handles.open(file, OpenFlags.READ_ONLY);

    assertThat(handles.count()).isEqualTo(2);
    assertThat(handles.export(handle).disk()).isSameAs(first);
    handles.release(handle);
    handles.release(handle);
    assertThat(handles.count()).isEqualTo(1);
    assertThatThrownBy(() -> handles.export(handle))
        .isInstanceOf(BlockException.class)
        .hasMessage("handle " + handle + " is not open");
    assertThat(handles.export(another).disk()).isSameAs(first);
  }

  @Test
  void directoryIsNotOpenedAsAFile() {
    ExportTree.Entry root = ExportTree.directory(List.of(first)).root();

    assertThatThrownBy(() -> new OpenExports().open(root, OpenFlags.READ_ONLY))
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.IS_DIRECTORY));
  }
}
