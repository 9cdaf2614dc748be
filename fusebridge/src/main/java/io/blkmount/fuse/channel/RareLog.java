// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import java.util.concurrent.atomic.AtomicLong;

/** Warnings that may come again and again: the first, the tenth, the hundredth are written. */
final class RareLog {
  private final System.Logger log;
  private final AtomicLong count = new AtomicLong();
  private final AtomicLong next = new AtomicLong(1);

  RareLog(Class<?> owner) {
    this.log = System.getLogger(owner.getName());
  }

  void note(String message) {
    long number = count.incrementAndGet();
    long due = next.get();
    if (number >= due && next.compareAndSet(due, due * 10)) {
      String times = number == 1 ? "" : " (" + number + " times)";
      log.log(System.Logger.Level.WARNING, message + times);
    }
  }
}
