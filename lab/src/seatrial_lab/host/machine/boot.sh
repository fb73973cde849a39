#!/bin/sh
# Boots a machine: process 1 of new mount, PID, UTS and IPC namespaces makes its disk the root and hands over to an init.
# Arguments: the disk, the machine's name, then `what:where` for each folder that is borrowed, read-only.
set -e
disk=$1 name=$2
shift 2
mount --make-rprivate /
mount --bind "$disk" "$disk"
cd "$disk"
for folder in "$@"; do mount -o bind,ro "${folder%%:*}" ".${folder#*:}"; done
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/net dev/pts dev/shm run/lock run/sshd
for device in null zero full random urandom tty net/tun; do : >"dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 tmpfs dev/shm
hostname "$name"
pivot_root . .
umount -l .
exec chroot . /usr/bin/catatonit -- /bin/sh /opt/lab/src/seatrial_lab/host/machine/init.sh
