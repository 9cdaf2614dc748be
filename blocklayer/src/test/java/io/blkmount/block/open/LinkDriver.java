// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.Backed;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.BlockDriver;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.ProbeInput;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A format that holds no bytes, only the name of a backing file: {@code LINK}, a line with the name
 * and a line with its format, either may be empty.
 */
final class LinkDriver implements BlockDriver {
  static final int LENGTH = 4096;
  private static final String MAGIC = "LINK\n";

  /** The names of the images that are closed, in order. */
  final List<String> closed = Collections.synchronizedList(new ArrayList<>());

  static void create(Path file, String backing, String format) throws IOException {
    Files.writeString(file, MAGIC + backing + '\n' + format + '\n');
  }

  @Override
  public String name() {
    return "link";
  }

  @Override
  public int probe(ProbeInput input) {
    ByteBuffer magic = StandardCharsets.US_ASCII.encode(MAGIC);
    boolean fits = input.start().remaining() >= magic.remaining();
    return fits && input.start().slice(0, magic.remaining()).equals(magic) ? 100 : 0;
  }

  @Override
  public DriverInstance open(DriverOptions options, ChildOpener children) throws IOException {
    ChildOpener.Child file = children.open(ChildRole.FILE);
    ByteBuffer text = Images.read(file, 0, Math.toIntExact(file.length()));
    String[] lines = StandardCharsets.UTF_8.decode(text).toString().split("\n", -1);
    BackingReference backing =
        lines[1].isEmpty()
            ? null
            : new BackingReference(lines[1], lines[2].isEmpty() ? null : lines[2]);
    return new Link(file.name(), backing);
  }

  private final class Link extends ForwardingInstance implements Backed {
    private final String name;
    private final @Nullable BackingReference backing;

    Link(String name, @Nullable BackingReference backing) {
      super(MemoryInstance.ofLength(LENGTH));
      this.name = name;
      this.backing = backing;
    }

    @Override
    protected void before(Call call) {
      if (call.kind() == Kind.CLOSE) {
        closed.add(Path.of(name).getFileName().toString());
      }
    }

    @Override
    public @Nullable BackingReference backingReference() {
      return backing;
    }

    @Override
    public void attachBacking(@Nullable BlockIo backing) {}

    @Override
    public long readLayer(long offset, ByteBuffer target) {
      return -target.remaining();
    }

    @Override
    public Extent extentAt(long offset, long maxLength) {
      return Extent.unallocated(offset, maxLength);
    }
  }
}
