#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A qcow2 image as a block device: mounts a new image with blkmount, puts a loop device on the file
# that shows it, makes a file system there, writes into it, takes everything down, and looks once
# more. Needs root, qemu-img and mkfs.ext4; touches nothing but a temporary folder of its own.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
blkmount=$root/mount/bin/blkmount
PATH=$PATH:/usr/sbin:/sbin

[ "$(id -u)" = 0 ] || {
  echo 'loop-device.sh: losetup and mount need root' >&2
  exit 1
}

work=$(mktemp -d)
image=$work/disk.qcow2
disk=$work/disk    # the mount point of blkmount
files=$work/files  # the mount point of the file system
loop=
mkdir "$disk" "$files"

# Takes down what is up, from the top.
take_down() {
  ! mountpoint -q "$files" || umount "$files"
  [ -z "$loop" ] || losetup --detach "$loop"
  loop=
  ! mountpoint -q "$disk" || "$blkmount" --unmount "$disk"
}

finish() {
  take_down
  rm -r -- "$work"
}
trap finish EXIT

bring_up() {
  "$blkmount" "$image" "$disk"
  loop=$(losetup --find --show "$disk/disk.raw")
}

qemu-img create -q -f qcow2 "$image" 256M
bring_up
mkfs.ext4 -q "$loop"
mount "$loop" "$files"
echo 'written through a loop device' >"$files/hello"
take_down

# Nothing of it was in memory only:
bring_up
mount -o ro "$loop" "$files"
cat "$files/hello"
take_down
qemu-img check -q "$image" && echo 'the image is clean'
