// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.Alignment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;

/** Hands each call a worker of its own; there are as many as calls ran at the same time. */
final class PooledSectorCipher implements SectorCipher {
  private final CipherSpec spec;
  private final Maker maker;

  /** Makes a worker for one more call at the same time. */
  interface Maker {
    SectorWorker make(CipherSpec spec, SecretBytes key);
  }

  /** Guards what follows; held for a push or a pop, and while a worker is made. */
  private final Object lock = new Object();

  private final SecretBytes key;
  private final ArrayDeque<SectorWorker> idle = new ArrayDeque<>();
  private boolean closed;

  PooledSectorCipher(CipherSpec spec, SecretBytes key, Maker maker) {
    if (key.length() != spec.keyLength()) {
      throw new IllegalArgumentException(
          "key of " + key.length() + " bytes for a cipher that takes " + spec.keyLength());
    }
    this.spec = spec;
    this.maker = maker;
    this.key = SecretBytes.copyOf(key.bytes());
  }

  @Override
  public void encrypt(long firstSector, ByteBuffer source, ByteBuffer target) {
    requireSectors(firstSector, source, target);
    SectorWorker worker = take();
    try {
      worker.encrypt(firstSector, source, target);
    } finally {
      giveBack(worker);
    }
  }

  @Override
  public void decrypt(long firstSector, ByteBuffer source, ByteBuffer target) {
    requireSectors(firstSector, source, target);
    SectorWorker worker = take();
    try {
      worker.decrypt(firstSector, source, target);
    } finally {
      giveBack(worker);
    }
  }

  private static void requireSectors(long firstSector, ByteBuffer source, ByteBuffer target) {
    int length = source.remaining();
    if (firstSector < 0
        || !Alignment.isAligned(length, SECTOR_SIZE)
        || target.remaining() < length) {
      throw new IllegalArgumentException(
          "not whole sectors: sector="
              + firstSector
              + " length="
              + length
              + " room="
              + target.remaining());
    }
  }

  private SectorWorker take() {
    synchronized (lock) {
      if (closed) {
        throw new IllegalStateException("the cipher is closed");
      }
      SectorWorker worker = idle.pollFirst();
      return worker != null ? worker : maker.make(spec, key);
    }
  }

  private void giveBack(SectorWorker worker) {
    synchronized (lock) {
      if (!closed) {
        idle.addFirst(worker);
        return;
      }
    }
    worker.close();
  }

  @Override
  public void close() {
    synchronized (lock) {
      closed = true;
      key.close();
      idle.forEach(SectorWorker::close);
      idle.clear();
    }
  }
}
