// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MountFlagsTest {
  @Test
  void listsAddUpAndTheLastWordCounts() throws CommandFailure {
    MountFlags flags =
        MountFlags.parse(List.of("ro,uid=1,nodev", "rw,allow_other", "gid=2,umask=0027,noexec"));

    assertThat(flags).isEqualTo(new MountFlags(false, true, 1, 2, 027, true));
  }

  @Test
  void nothingSaidChangesNothing() throws CommandFailure {
    assertThat(MountFlags.parse(List.of())).isEqualTo(MountFlags.NONE);
  }

  @Test
  void wordsOfFstabThatMeanNothingHereAreAccepted() throws CommandFailure {
    String line =
        "defaults,exec,suid,nosuid,dev,nodev,async,noatime,nodiratime,relatime,auto,noauto,user,"
            + "nouser,_netdev,nofail,x-systemd.automount,x-systemd.idle-timeout=60";

    assertThat(MountFlags.parse(List.of(line))).isEqualTo(MountFlags.NONE);
  }

  @Test
  void theLastOfExecAndNoexecCounts() throws CommandFailure {
    assertThat(MountFlags.parse(List.of("exec,noexec")).noExec()).isTrue();
    assertThat(MountFlags.parse(List.of("noexec,exec")).noExec()).isFalse();
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "ro,loop    | mount option \"loop\" is not known (known are ro, rw, allow_other, uid=,",
        "ro=1       | mount option \"ro=1\" is not known",
        "defaults=1 | mount option \"defaults=1\" is not known",
        "uid        | mount option \"uid\" is not known",
        "uid=me     | mount option \"uid=me\": not a number",
        "gid=-1     | mount option \"gid=-1\": not a number",
        "umask=8    | mount option \"umask=8\": not an octal number",
        "ro,        | mount option \"\" is not known",
      })
  void whatIsUnknownIsNamed(String list, String message) {
    assertThatThrownBy(() -> MountFlags.parse(List.of(list)))
        .isInstanceOf(CommandFailure.class)
        .hasMessageStartingWith(message);
  }
}
