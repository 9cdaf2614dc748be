// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.file.FileDriver;
import io.blkmount.block.file.HostDeviceDriver;
import io.blkmount.block.graph.BackingChain;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.graph.ChainExtents;
import io.blkmount.block.raw.RawDriver;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From names to chains, with a format that is nothing but a link to the next image. */
final class ImageOpenerTest {
  private final LinkDriver links = new LinkDriver();
  private final DriverRegistry drivers =
      new DriverRegistry(
          List.of(new RawDriver(), links), List.of(new FileDriver(), new HostDeviceDriver()));

  @TempDir Path directory;

  private Path link(String name, String backing, String format) throws IOException {
    Path file = directory.resolve(name);
    LinkDriver.create(file, backing, format);
    return file;
  }

  private Path base(String name) throws IOException {
    ByteBuffer bytes = Images.bytes(LinkDriver.LENGTH, 3);
    byte[] content = new byte[LinkDriver.LENGTH];
    bytes.get(content);
    return Files.write(directory.resolve(name), content);
  }

  private OpenedImage open(Path image) throws IOException {
    return ImageOpener.open(OpenOptions.of(image.toString()), drivers);
  }

  private BlockException failureOf(OpenOptions options) {
    return catchThrowableOfType(
        BlockException.class, () -> ImageOpener.open(options, drivers).graph().close());
  }

  @Test
  void chainIsOpenedToItsEndAndReadThrough() throws IOException {
    base("base");
    link("mid", "file:base", "raw");
    OpenedImage image = open(link("top", directory + "/mid", ""));

    ByteBuffer target = ByteBuffer.allocateDirect(LinkDriver.LENGTH);
    image.top().pipeline().read(0, target);

    assertThat(target.flip()).isEqualTo(Images.bytes(LinkDriver.LENGTH, 3));
    assertThat(formats(image)).containsExactly("link", "link", "raw");
    Extent extent = ChainExtents.below(image.top()).extentAt(5, 10);
    assertThat(extent).isEqualTo(Extent.data(5, 10, 5).deeper(2));
    image.graph().close();
    assertThat(links.closed).containsExactly("top", "mid");
  }

  private static List<String> formats(OpenedImage image) {
    return BackingChain.from(image.top()).layers().stream()
        .map(BlockNode::driverName)
        .collect(Collectors.toList());
  }

  @Test
  void backingFormatOfTheHeaderGoesBeforeProbing() throws IOException {
    link("base", "", "");
    OpenedImage image = open(link("top", "base", "raw"));

    assertThat(formats(image)).containsExactly("link", "raw");
    image.graph().close();
  }

  @Test
  void missingBackingFileIsNamedWithThePlaceThatWasLookedIn() throws IOException {
    Path top = link("top.qcow2", "base.qcow2", "");

    BlockException failure = failureOf(OpenOptions.of(top.toString()));

    assertThat(failure.error()).isEqualTo(BlockError.NOT_FOUND);
    assertThat(failure)
        .hasMessage(
            "cannot open backing file \"base.qcow2\" of \"%s\": no such file (looked in %s)",
            top, directory);
    assertThat(links.closed).containsExactly("top.qcow2");
  }

  @Test
  void loopIsRefusedWithTheChainByWhateverName() throws IOException {
    Path top = link("top", "a", "");
    Path a = link("a", "b", "");
    Path b = link("b", "other", "");
    Files.createLink(directory.resolve("other"), a);

    BlockException failure = failureOf(OpenOptions.of(top.toString()));

    assertThat(failure.error()).isEqualTo(BlockError.LOOP);
    assertThat(failure)
        .hasMessage(
            "cannot open backing file \"other\" of \"%s\": backing files form a loop: %s -> %s ->"
                + " %s",
            b, a, b, directory.resolve("other"));
    assertThat(links.closed).containsExactly("top", "a", "b");
  }

  @Test
  void imageThatIsItsOwnBackingFileIsALoop() throws IOException {
    Path top = link("top", "top", "");

    assertThat(failureOf(OpenOptions.of(top.toString())))
        .hasMessageEndingWith("backing files form a loop: %s -> %s", top, top);
  }

  @Test
  void thousandLayersOpenAndReadOneMoreDoesNot() throws IOException {
    link("layer999", "", "");
    for (int i = 998; i >= 0; i--) {
      link("layer" + i, "layer" + (i + 1), "link");
    }
    try (var graph = open(directory.resolve("layer0")).graph()) {
      BlockNode top = graph.nodes().stream().filter(n -> n.backing() != null).findFirst().get();
      ByteBuffer target = ByteBuffer.allocateDirect(LinkDriver.LENGTH);
      top.pipeline().read(0, target);
      assertThat(target.flip()).isEqualTo(ByteBuffer.allocate(LinkDriver.LENGTH));
      assertThat(ChainExtents.below(top).extentAt(0, LinkDriver.LENGTH).depth()).isEqualTo(999);
    }

    Path tooDeep = link("top", "layer0", "link");
    assertThat(failureOf(OpenOptions.of(tooDeep.toString())))
        .hasMessageEndingWith("backing chain is longer than 1000 images");
    assertThat(links.closed).hasSize(2000);
  }

  @Test
  void backingFileIsNeverWritten() throws IOException {
    base("base");
    OpenedImage image = open(link("top", "base", ""));
    BlockNode below = image.top().backing().node();

    assertThatThrownBy(() -> below.pipeline().write(0, Images.bytes(1, 1), WriteFlags.NONE))
        .extracting(failure -> ((BlockException) failure).error())
        .isEqualTo(BlockError.READ_ONLY);
    image.graph().close();
  }

  @Test
  void optionsReplaceOrDropTheBackingFile() throws IOException {
    Path base = base("base");
    Path top = link("top", "missing", "");
    Map<String, String> replaced =
        Map.of(
            "file.filename",
            top.toString(),
            "backing.driver",
            "raw",
            "backing.file.filename",
            base.toString(),
            "backing.node-name",
            "below");
    OpenedImage image = ImageOpener.open(OpenOptions.ofImageOptions(replaced), drivers);
    assertThat(formats(image)).containsExactly("link", "raw");
    assertThat(image.top().backing().node().name()).isEqualTo("below");
    image.graph().close();

    for (String none : new String[] {"", "null"}) {
      Map<String, String> dropped =
          Map.of("driver", "link", "file.filename", top.toString(), "backing", none);
      OpenedImage alone = ImageOpener.open(OpenOptions.ofImageOptions(dropped), drivers);
      assertThat(formats(alone)).containsExactly("link");
      alone.graph().close();
    }
  }

  @Test
  void unknownOptionsAreNamed() throws IOException {
    String name = base("base").toString();
    Map<String, String> own = Map.of("driver", "raw", "file.filename", name, "lazy", "on");
    Map<String, String> files = Map.of("driver", "raw", "file.filename", name, "file.x", "1");

    assertThat(failureOf(OpenOptions.ofImageOptions(own)))
        .hasMessage("driver raw does not know the option lazy");
    assertThat(failureOf(OpenOptions.ofImageOptions(files)))
        .hasMessage("driver file does not know the option x");
    assertThat(failureOf(OpenOptions.of(name).withFormat("vmdk")))
        .hasMessage("unknown format \"vmdk\": known are raw, link");
    assertThat(failureOf(OpenOptions.ofImageOptions(Map.of("driver", "raw"))))
        .hasMessage("image options: file.filename is missing");
    assertThat(
            failureOf(
                OpenOptions.ofImageOptions(
                    Map.of("driver", "raw", "file.filename", name, "backing", "node0"))))
        .hasMessage(
            "option backing=node0: null (no backing file) is the only value;"
                + " backing.file.filename names one");
  }

  @Test
  void copyOnReadWantsAWritableImageWithABackingFile() throws IOException {
    Path base = base("base");
    Path top = link("top", "base", "");

    assertThat(failureOf(OpenOptions.of(base.toString()).withCopyOnRead(true)))
        .hasMessage("copy-on-read needs an image with a backing file: \"%s\" has none", base);
    assertThat(failureOf(OpenOptions.of(top.toString()).withCopyOnRead(true).withReadOnly(true)))
        .hasMessage("copy-on-read needs a writable image: \"%s\" is opened read-only", top);
  }

  @Test
  void protocolAloneIsADiskToo() throws IOException {
    Map<String, String> file = Map.of("driver", "file", "filename", base("base").toString());
    OpenedImage image = ImageOpener.open(OpenOptions.ofImageOptions(file), drivers);

    assertThat(image.top().driverName()).isEqualTo("file");
    assertThat(image.hostFile()).isNotNull();
    image.graph().close();
  }

  @Test
  void missingImageAndDirectoryAreSaidInOneLine() {
    assertThat(failureOf(OpenOptions.of(directory + "/none")))
        .hasMessage("cannot open \"%s/none\": no such file", directory);
    assertThat(failureOf(OpenOptions.of(directory.toString())))
        .hasMessage("cannot open \"%s\": is a directory", directory);
    assertThat(failureOf(OpenOptions.of("/dev/null")))
        .hasMessage(
            "cannot open \"/dev/null\": is a character device, not a regular file or block"
                + " device");
  }

  @Test
  void probedRawImageCannotBecomeAnotherFormat() throws IOException {
    Path raw = base("raw");
    OpenedImage probed = open(raw);
    byte[] magic = "LINK\n".getBytes(StandardCharsets.US_ASCII);
    ByteBuffer header = ByteBuffer.wrap(magic);
    var pipeline = probed.top().pipeline();
    pipeline.write(0, header.slice(0, 3), WriteFlags.NONE);

    assertThatThrownBy(() -> pipeline.write(3, header.slice(3, 2), WriteFlags.NONE))
        .hasMessage(
            "write refused: it would make \"%s\", which was probed as raw, look like link; -f raw"
                + " allows it",
            raw)
        .extracting(failure -> ((BlockException) failure).error())
        .isEqualTo(BlockError.NOT_PERMITTED);
    assertThat(Arrays.copyOf(Files.readAllBytes(raw), 5))
        .startsWith('L', 'I', 'N')
        .isNotEqualTo(magic);
    probed.graph().close();

    OpenedImage told = ImageOpener.open(OpenOptions.of(raw.toString()).withFormat("raw"), drivers);
    told.top().pipeline().write(3, header.slice(3, 2), WriteFlags.NONE);
    told.graph().close();
    assertThat(Files.readAllBytes(raw)).startsWith(magic);
  }
}
