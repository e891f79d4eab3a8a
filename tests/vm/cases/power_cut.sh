# SPDX-License-Identifier: Apache-2.0
# A device that measures as fast as its disk takes it, until its power is cut. Its state is saved where it waits for a
# line, so that each cycle begins there; the driver of the disk is loaded after that, and the kernel has nothing of the
# disk in memory.
. /vm/guest/power_cut.sh
modprobe virtio_pci
modprobe ext4
modprobe crc32c_generic
echo '# waiting'
read -r start preload
write_trace "$start" 400
echo '# switched on'
mount_disk
echo '# mounted'
measure "$preload"
echo "# the daemon ended: $?"
