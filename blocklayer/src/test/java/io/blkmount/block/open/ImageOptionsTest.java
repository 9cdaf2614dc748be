// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import io.blkmount.block.error.BlockException;
import org.junit.jupiter.api.Test;

final class ImageOptionsTest {
  @Test
  void pairsKeepTheirOrder() throws BlockException {
    assertThat(ImageOptions.parse("driver=qcow2,file.filename=a b.qcow2,backing="))
        .containsExactly(
            entry("driver", "qcow2"), entry("file.filename", "a b.qcow2"), entry("backing", ""));
  }

  @Test
  void doubledCommaIsOneCommaInAValue() throws BlockException {
    assertThat(ImageOptions.parse("file.filename=a,,b,,,,c=d,x=1"))
        .containsExactly(entry("file.filename", "a,b,,c=d"), entry("x", "1"));
  }

  @Test
  void lastCommaMayStayAlone() throws BlockException {
    assertThat(ImageOptions.parse("a=1,")).containsExactly(entry("a", "1"));
  }

  @Test
  void pairWithoutAKeyOrValueIsRefused() {
    assertThatThrownBy(() -> ImageOptions.parse("driver=raw,snapshot"))
        .hasMessage("image options: \"snapshot\" is not of the form key=value");
    assertThatThrownBy(() -> ImageOptions.parse("=raw")).isInstanceOf(BlockException.class);
    assertThatThrownBy(() -> ImageOptions.parse("")).hasMessage("image options: empty");
  }

  @Test
  void keyGivenTwiceIsRefused() {
    assertThatThrownBy(() -> ImageOptions.parse("a=1,a=1"))
        .hasMessage("image options: a is given twice");
  }
}
