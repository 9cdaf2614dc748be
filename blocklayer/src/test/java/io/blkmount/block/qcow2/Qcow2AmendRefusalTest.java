// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.Amendable.Secrets;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What cannot be changed is refused by name, and nothing has changed then. */
final class Qcow2AmendRefusalTest {
  private static final String IMAGE = "cannot amend qcow2 image \"d\": ";
  private static final String SNAPSHOT = "snapshot";

  @TempDir private Path folder;

  private PagedBytes image(String options, String... commands) {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "1M", options);
    for (String command : commands) {
      if (command.equals(SNAPSHOT)) {
        QemuImg.img("snapshot", "-c", "one", file);
      } else if (command.startsWith("-")) {
        QemuImg.img(command.substring(1).split(" ")[0], file, command.split(" ")[1]);
      } else {
        QemuImg.io(file, command);
      }
    }
    return Images.load(file);
  }

  private static void assertRefused(PagedBytes image, String values, String message) {
    byte[] before = image.bytes(0, (int) image.length());
    MemoryInstance host = MemoryInstance.file(image, 1);
    Map<String, String> map = AmendCase.map(values);

    assertThatThrownBy(() -> new Qcow2Driver().amend("d", new MemoryChild(host), map, Secrets.NONE))
        .isInstanceOf(BlockException.class)
        .hasMessage(message);
    assertThat(host.content().bytes(0, before.length)).isEqualTo(before);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cluster_size=4k | qcow2 option cluster_size: it is only for new images",
        "size=4k | qcow2 option size: a disk is resized while it is open",
        "foo=1 | qcow2 has no option foo to amend",
        "compat=9 | qcow2 option compat: 9 is none of 0.10, 1.1, v2, v3",
        "refcount_bits=3 | qcow2 option refcount_bits: 3 is not a power of two in 1..64",
        "encrypt.state=x | qcow2 option encrypt.state: x is none of active, inactive",
        "encrypt.keyslot=1 | qcow2 option encrypt.state: active or inactive is needed",
        "encrypt.state=inactive,encrypt.keyslot=1,encrypt.foo=1 | qcow2 has no option encrypt.foo to amend",
        "encrypt.state=active | qcow2 option encrypt.old-secret: a key that opens the image is needed",
        "encrypt.state=active,encrypt.old-secret=a | qcow2 option encrypt.new-secret: a key to be added is needed",
        "encrypt.state=inactive,encrypt.new-secret=a | qcow2 option encrypt.new-secret: no key is added to an inactive slot",
        "encrypt.state=inactive,encrypt.iter-time=1 | qcow2 option encrypt.iter-time: no key is added",
        "encrypt.state=inactive | qcow2 option encrypt.keyslot: either a slot or encrypt.old-secret says what is erased",
        "encrypt.state=inactive,encrypt.keyslot=x | qcow2 option encrypt.keyslot: x is no number",
        "encrypt.state=inactive,encrypt.keyslot=1,compat=1.1 | qcow2 option compat: it cannot change together with a key slot",
        "encrypt.state=inactive,encrypt.keyslot=1 | image \"d\" has no key slots: it is not encrypted with LUKS",
      })
  void whatMakesNoSense(String values, String message) {
    assertRefused(ImageShape.of(4096, 1 << 20).create(), values, message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "refcount_bits=8,compat=0.10 | refcount_bits: compat=0.10 has refcounts of 16 bits, not 8",
        "lazy_refcounts=on,compat=0.10 | lazy_refcounts: compat=0.10 has none, compat=1.1 is needed",
        "data_file=a | data_file: the image keeps its data in its own file",
        "data_file_raw=on | data_file_raw: it can only be switched on when an image is made",
        "backing_fmt=raw | backing_fmt: the image has no backing file",
        "backing_file=a | backing_file: its format has to be said with backing_fmt",
      })
  void whatThisImageCannotBe(String values, String message) {
    assertRefused(ImageShape.of(4096, 1 << 20).create(), values, IMAGE + message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "extended_l2=on | extended L2 entries",
        "compression_type=zstd | compression type but zlib",
      })
  void whatVersion2DoesNotHave(String options, String what) {
    assertRefused(image(options), "compat=0.10", IMAGE + "compat: version 2 has no " + what);
  }

  @Test
  void anExternalDataFileInVersion2() {
    PagedBytes image = image("data_file=" + folder.resolve("a.raw") + ",data_file_raw=on");

    assertRefused(image, "compat=0.10", IMAGE + "compat: version 2 has no external data file");
    assertRefused(
        image,
        "backing_file=a,backing_fmt=raw",
        IMAGE + "backing_file: it does not go together with a raw data file");
  }

  @Test
  void bitmapsInVersion2() {
    assertRefused(
        ImageShape.of(4096, 1 << 20).withBitmaps().create(),
        "compat=0.10",
        IMAGE + "compat: version 2 has no bitmaps");
  }

  @Test
  void moreFieldsInVersion2() {
    PagedBytes image = image("");
    image.write(108, ByteBuffer.wrap(new byte[] {1}));

    assertRefused(
        image, "compat=0.10", IMAGE + "compat: version 2 has no more fields in the header");
  }

  @Test
  void aSnapshotOfAnotherLength() {
    assertRefused(
        image("", SNAPSHOT, "-resize 2M"),
        "compat=0.10",
        IMAGE
            + "compat: snapshot \"1\" (\"one\") has another disk length, "
            + "or more than 4 GiB of machine state");
  }

  @Test
  void refcountsThatAreTooNarrow() {
    assertRefused(
        image("cluster_size=64k", "write 0 64k", SNAPSHOT),
        "refcount_bits=1",
        IMAGE + "refcount_bits: cluster 4 has a refcount of 2, 1 bits count to 1");
  }

  @Test
  void aDamagedImage() {
    PagedBytes image = image("", "write 0 64k");
    image.write(0x40000, ByteBuffer.wrap(new byte[8]).putLong(0, 0x50200));

    assertRefused(image, "compat=0.10", IMAGE + "a check finds 3 errors: repair it first");
    image.write(Qcow2Header.INCOMPATIBLE_FEATURES_AT + 7, ByteBuffer.wrap(new byte[] {2}));
    assertRefused(image, "lazy_refcounts=on", IMAGE + "it is marked corrupt: repair it first");
  }

  /** What version 2 ignores would be zeros for version 3. */
  @Test
  void aFlagThatVersion2DoesNotHave() {
    PagedBytes image = image("compat=0.10", "write 0 64k");
    image.write(0x40007, ByteBuffer.wrap(new byte[] {1}));

    assertRefused(image, "compat=1.1", IMAGE + "a check finds 1 errors: repair it first");
  }

  @Test
  void namesThatAreTooLong() {
    String name = "x".repeat(1024);
    assertRefused(
        image(""),
        "backing_fmt=raw,backing_file=" + name,
        IMAGE + "backing_file: the name has 1024 bytes, at most 1023 are allowed");
    assertRefused(
        image("cluster_size=512"),
        "backing_fmt=raw,backing_file=" + name.substring(600),
        IMAGE + "its header would need 560 bytes, the first cluster has 512");
  }

  /** Both would fit alone, but not so that a power cut finds one of them. */
  @Test
  void namesThatAreTooLongForTheDetour() {
    String name = "x".repeat(800);
    PagedBytes image = image("cluster_size=1k");
    MemoryInstance host = MemoryInstance.file(image, 1);
    AmendCase first = new AmendCase("", false, false, "backing_fmt=raw,backing_file=" + name);
    assertThatNoIoFails(() -> first.amend(host));

    assertRefused(
        host.content(),
        "backing_file=" + name.replace('x', 'y') + ",backing_fmt=raw",
        IMAGE + "old and new header need 1760 bytes side by side, the first cluster has 1024");
  }

  private interface Step {
    void run() throws IOException;
  }

  private static void assertThatNoIoFails(Step step) {
    try {
      step.run();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void keysChangeAsTheOptionsSay() throws IOException {
    PagedBytes image = ImageShape.of(4096, 1 << 20).withEncryption("luks").create();
    MemoryChild file = new MemoryChild(MemoryInstance.file(image, 1));
    Map<String, byte[]> keys =
        Map.of("old", TestKey.bytes(), "new", "other".getBytes(StandardCharsets.US_ASCII));
    Secrets secrets = id -> keys.containsKey(id) ? keys.get(id).clone() : null;
    String add = "encrypt.state=active,encrypt.old-secret=old,encrypt.new-secret=new";
    Qcow2Driver driver = new Qcow2Driver();

    driver.amend("d", file, AmendCase.map(add + ",encrypt.iter-time=1"), secrets);
    driver.amend("d", file, AmendCase.map(add + ",encrypt.keyslot=5,encrypt.iter-time=1"), secrets);
    assertThat(driver.activeKeySlots("d", file)).isEqualTo(List.of(0, 1, 5));
    for (String slot : List.of("5", "8")) {
      assertThatThrownBy(
              () ->
                  driver.amend("d", file, AmendCase.map(add + ",encrypt.keyslot=" + slot), secrets))
          .hasMessageContaining(
              slot.equals("5") ? "slot 5 is active already" : "slot 8: there are 8, from 0");
    }
    driver.amend("d", file, AmendCase.map("encrypt.state=inactive,encrypt.keyslot=5"), secrets);
    driver.amend(
        "d", file, AmendCase.map("encrypt.state=inactive,encrypt.old-secret=old"), secrets);
    assertThat(driver.activeKeySlots("d", file)).isEqualTo(List.of(1));
    assertThatThrownBy(
            () ->
                driver.amend(
                    "d",
                    file,
                    AmendCase.map("encrypt.state=inactive,encrypt.old-secret=z"),
                    secrets))
        .hasMessage("qcow2 option encrypt.old-secret: no secret has the id z");
  }

  /** Zeros would have to be encrypted, which takes the key. */
  @Test
  void encryptedZerosOverABackingFile() throws IOException {
    PagedBytes image =
        ImageShape.of(4096, 1 << 20).withBacking(1 << 20).withEncryption("luks").create();
    MemoryInstance host = MemoryInstance.file(image, 1);
    try (TestImage opened = TestImage.open(host, new PagedBytes(1 << 20))) {
      opened.io().writeZeroes(0, 8192, WriteFlags.NONE);
    }

    assertRefused(
        host.content(),
        "compat=0.10",
        IMAGE + "compat: zeros that hide the backing file cannot be encrypted without the key");
  }
}
