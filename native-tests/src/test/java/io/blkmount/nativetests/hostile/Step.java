// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.hostile;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** One thing that is done with an image, and what came of it. */
final class Step {
  private static final int MAX_MESSAGE = 2_000;

  private final String name;
  private final Action action;
  private @Nullable Throwable failure;
  private @Nullable Cost cost;

  /** Something that an image may refuse. */
  interface Action {
    void run() throws IOException;
  }

  private Step(String name, Action action) {
    this.name = name;
    this.action = action;
  }

  /** Does it, and keeps whatever is thrown. */
  static Step run(String name, Action action) throws IOException {
    Step step = new Step(name, action);
    step.cost = Cost.of(step::attempt);
    return step;
  }

  private void attempt() {
    try {
      action.run();
    } catch (IOException | RuntimeException | Error e) {
      failure = e;
    }
  }

  boolean failed() {
    return failure != null;
  }

  /** Returns what the step said, empty if nothing. */
  String message() {
    Throwable thrown = failure;
    return thrown == null ? "" : String.valueOf(thrown.getMessage());
  }

  /** Returns what is wrong with the way it ended, whatever it should have done; null if nothing. */
  @Nullable String fault() {
    Throwable thrown = failure;
    if (thrown != null && !(thrown instanceof IOException)) {
      return name + " throws " + thrown;
    }
    if (message().chars().anyMatch(Character::isISOControl) || message().length() > MAX_MESSAGE) {
      return name + " says no line";
    }
    Cost took = cost;
    return took == null || took.isBounded() ? null : name + " takes " + took;
  }

  @Override
  public String toString() {
    Cost took = cost;
    return name
        + (took == null ? "" : " " + took.millis() + " ms " + took.extraKib() / 1024 + " MiB")
        + (failed() ? ": " + message() : "");
  }
}
