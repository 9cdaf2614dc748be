// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.fuse.MountOptions;
import io.blkmount.fuse.ServingOptions;
import java.util.List;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;
import org.junit.jupiter.api.Test;

final class LibfuseArgumentsTest {
  private static String options(MountOptions options) {
    return new LibfuseArguments("/mnt", options).asList().get(4);
  }

  @Test
  void mountIsNamedAfterTheImageAndPrivate() {
    assertThat(options(MountOptions.of("a.img", 1, 2)))
        .startsWith("fsname=a.img,subtype=blkmount,nosuid,nodev,default_permissions")
        .contains(",big_writes,max_read=131072,max_write=131072,")
        .contains("atomic_o_trunc")
        .doesNotContain("allow_other")
        .doesNotContain(",ro");
  }

  @Test
  void specialCharactersOfTheNameAreHiddenFromTheParser() {
    assertThat(options(MountOptions.of("a,b\\c=d e", 1, 2)))
        .startsWith("fsname=a\\,b\\\\c=d e,subtype");
  }

  @Test
  void optionsOfTheUserComeLast() {
    MountOptions options =
        new MountOptions(
            "a",
            true,
            true,
            0,
            0,
            0,
            ServingOptions.DEFAULT,
            List.of("noatime", "max_background=7"));

    assertThat(options(options)).endsWith(",ro,allow_other,noatime,max_background=7");
  }

  @Test
  void nativeFormIsAVectorOfStringsThatEndsWithNull() {
    LibfuseArguments arguments = new LibfuseArguments("/m\udcff", MountOptions.of("a", 1, 2));

    Pointer vector = arguments.toNative(Runtime.getSystemRuntime());

    int size = Runtime.getSystemRuntime().addressSize();
    byte[] name = new byte[4];
    vector.getPointer(size).get(0, name, 0, 4);
    assertThat(name).isEqualTo(new byte[] {'/', 'm', (byte) 0xff, 0});
    assertThat(vector.getPointer(2L * size).getString(0)).isEqualTo("-f");
    assertThat(vector.getPointer((long) arguments.count() * size)).isNull();
  }
}
