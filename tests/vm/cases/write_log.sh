# SPDX-License-Identifier: Apache-2.0
# A device that measures while QEMU logs all that is written to its disk. What it reports goes into that log too.
. /vm/guest/power_cut.sh
modprobe virtio_pci
modprobe crc32c_generic
modprobe ext4
mount_disk
# So that segments are removed by their age, too, at the end.
write_trace "$START" "$ROUNDS" 12
measure "${PRELOAD:-}" | write_log_case /dev/vda "$BEHIND"
echo '# recorded'
