// SPDX-License-Identifier: Apache-2.0
/**
 * The qcow2 format, versions 2 and 3. Only the driver is public.
 *
 * <p>Locks, in the order in which they may be taken (the request tracker of the node comes before
 * all of them, the tracker of the child node after): the lock of {@code RawDataLending}; the lock
 * of {@code Qcow2Bitmaps}; a reservation in {@code AllocationTracker}; the lock of {@code
 * CompressedSpace}; the growth lock of {@code NewRefcountBlocks}; the lock of {@code
 * MetadataWriteback}; the metadata lock of {@code Metadata}; the small locks inside {@code
 * MetadataCache}. Of these only the first two and the three before the metadata lock are ever held
 * over I/O, and nobody who reads or overwrites data needs them, but for the first write of all.
 *
 * <p>What memory holds may reach the disk in this order only: a refcount that went up, and the
 * guest data, before the L2 entry that needs them; a new table before the entry that points to it;
 * the entry that no longer points to a cluster before its refcount goes down.
 */
@NullMarked
package io.blkmount.block.qcow2;

import org.jspecify.annotations.NullMarked;
