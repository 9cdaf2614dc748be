// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.cli.MountLifecycle.Event;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Events from the threads that notice them to the one that acts on them. */
final class EventQueue implements MountLifecycle.Events {
  private final LinkedBlockingQueue<Event> events = new LinkedBlockingQueue<>();

  void post(Event event) {
    events.add(event);
  }

  @Override
  public Event await(long timeoutMillis) throws InterruptedException {
    @Nullable Event event = events.poll(timeoutMillis, TimeUnit.MILLISECONDS);
    return event == null ? Event.NOTHING : event;
  }
}
