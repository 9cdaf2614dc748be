// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Asks a fresh mount for its root until it answers: a mount is there before its server is. */
final class MountProbe {
  /** Far more than a server needs; whoever waits longer wants to know. */
  private static final long TIMEOUT_SECONDS = 20;

  private MountProbe() {}

  /**
   * Returns the device of the new mount.
   *
   * @throws IOException if it does not answer, or answers with an error; it is detached then
   */
  static String awaitAnswer(MountPoint place) throws IOException {
    try {
      return requireOther(place, ask(place.path()));
    } catch (IOException e) {
      detach(place, e);
      throw e;
    }
  }

  private static String requireOther(MountPoint place, HostCalls.Status status)
      throws BlockException {
    if (status.device().equals(place.device())) {
      throw MountPoint.refused(
          BlockError.IO, MountPoint.quoted(place.path()) + ": nothing is mounted there afterwards");
    }
    return status.device();
  }

  /** The question has a thread of its own: nothing can call it back while it is in the kernel. */
  private static HostCalls.Status ask(String path) throws IOException {
    FutureTask<HostCalls.Status> question = new FutureTask<>(() -> HostCalls.status(path));
    Thread thread = new Thread(question, "mount-probe");
    thread.setDaemon(true);
    thread.start();
    try {
      return question.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      throw noAnswer(path, "no answer within " + TIMEOUT_SECONDS + " s", e);
    } catch (ExecutionException e) {
      throw noAnswer(path, "the mount answers with an error: " + e.getCause().getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw noAnswer(path, "interrupted", e);
    }
  }

  private static BlockException noAnswer(String path, String why, Exception cause) {
    return new BlockException(
        BlockError.TIMED_OUT, "cannot mount on " + MountPoint.quoted(path) + ": " + why, cause);
  }

  private static void detach(MountPoint place, IOException reason) {
    try {
      Unmounting.detach(place.path());
    } catch (IOException e) {
      reason.addSuppressed(e);
    }
  }
}
