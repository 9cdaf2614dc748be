// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;

/** What the kernel put is what is read, whatever the numbers are. */
final class FuseRequestTest {
  private FakeKernel kernel;
  private FuseRequest request;
  private SplittableRandom random;

  @BeforeEach
  void start() throws IOException {
    kernel = new FakeKernel();
    request = new FuseRequest(kernel.memory());
  }

  @AfterEach
  void end() {
    kernel.close();
  }

  private long take(KernelRequest sent) {
    long unique = kernel.send(sent);
    assertThat(kernel.device().receive(kernel.memory())).isPositive();
    return unique;
  }

  @RepeatedTest(10)
  void argumentsAreReadWhereTheyWerePut(RepetitionInfo repetition) {
    random = new SplittableRandom(repetition.getCurrentRepetition());
    long inode = random.nextLong();
    long handle = random.nextLong();
    long offset = random.nextLong();
    long length = random.nextLong();
    int word = random.nextInt();

    long unique = take(KernelRequest.read(KernelRequest.READ, inode, handle, offset, word));
    assertThat(request.opcode()).isEqualTo(KernelRequest.READ);
    assertThat(request.unique()).isEqualTo(unique);
    assertThat(request.inode()).isEqualTo(inode);
    assertThat(request.handle()).isEqualTo(handle);
    assertThat(request.offset()).isEqualTo(offset);
    assertThat(request.size()).isEqualTo(word);

    take(KernelRequest.open(inode, word));
    assertThat(request.openFlags()).isEqualTo(word);

    take(KernelRequest.allocate(inode, handle, word, offset, length));
    assertThat(request.handle()).isEqualTo(handle);
    assertThat(request.offset()).isEqualTo(offset);
    assertThat(request.allocationLength()).isEqualTo(length);
    assertThat(request.allocationMode()).isEqualTo(word);

    take(KernelRequest.seek(inode, handle, offset, word));
    assertThat(request.offset()).isEqualTo(offset);
    assertThat(request.whence()).isEqualTo(word);

    take(KernelRequest.attributes(inode, 1, handle));
    assertThat(request.asksAttributesOfHandle()).isTrue();
    assertThat(request.attributeHandle()).isEqualTo(handle);

    take(KernelRequest.change(inode, 1 << 6, handle, length));
    assertThat(request.changesByHandle()).isTrue();
    assertThat(request.attributeHandle()).isEqualTo(handle);
    assertThat(request.newSize()).isEqualTo(length);
  }

  @RepeatedTest(5)
  void copyIsReadWhereItWasPut(RepetitionInfo repetition) {
    random = new SplittableRandom(repetition.getCurrentRepetition());
    var from = new FakeKernel.Handle(random.nextLong(), random.nextLong(), 0, 0);
    var to = new FakeKernel.Handle(random.nextLong(), random.nextLong(), 0, 0);
    long offset = random.nextLong();
    long targetOffset = random.nextLong();
    long length = random.nextLong();

    take(KernelRequest.copy(from, offset, to, targetOffset, length));

    assertThat(request.inode()).isEqualTo(from.inode());
    assertThat(request.handle()).isEqualTo(from.number());
    assertThat(request.offset()).isEqualTo(offset);
    assertThat(request.targetHandle()).isEqualTo(to.number());
    assertThat(request.targetOffset()).isEqualTo(targetOffset);
    assertThat(request.copyLength()).isEqualTo(length);
  }

  @Test
  void eachChangeIsABitOfItsOwn() {
    for (int bit = 0; bit < Integer.SIZE; bit++) {
      take(KernelRequest.change(2, 1 << bit, 0, 0));

      assertThat(request.changesModeOrOwner()).as("bit %d", bit).isEqualTo(bit < 3);
      assertThat(request.changesSize()).as("bit %d", bit).isEqualTo(bit == 3);
      assertThat(request.changesByHandle()).as("bit %d", bit).isEqualTo(bit == 6);
      assertThat(request.changesTimes())
          .as("bit %d", bit)
          .isEqualTo(bit == 4 || bit == 5 || bit == 7 || bit == 8);
    }
  }

  @Test
  void namesEndAtTheirZero() {
    for (int length = 0; length < 256; length++) {
      byte[] name = new byte[length];
      Images.bytes(length, length).get(name);

      take(KernelRequest.named(KernelRequest.LOOKUP, 1, name));

      assertThat(HostName.encode(request.name())).isEqualTo(name);
    }
  }

  /** So that it can go to a file opened with O_DIRECT without a copy. */
  @Test
  void dataOfAWriteBeginsOnAPage() {
    ByteBuffer sent = Images.bytes(100_000, 1);

    take(KernelRequest.write(2, 5, 7, sent));

    ByteBuffer data = kernel.memory().data(100_000);
    assertThat(data).isEqualTo(sent);
    assertThat(data.alignmentOffset(0, 4096)).isZero();
    assertThat(request.size()).isEqualTo(100_000);
  }
}
