# SPDX-License-Identifier: Apache-2.0
# What the cases of power cuts share: a station that closes a segment after three rounds and keeps an hour, on the first
# virtio disk.
cat >/tmp/station.ini <<-'STATION'
	[station]
	name = Bench
	[sensor fridge]
	address = ds18b20@w1:28-0316a2795bff
	place = vaccine
	[sensor freezer]
	address = ds18b20@w1:28-0316a2795c00
	place = freezer
	[sensor room]
	address = bme280@i2c-1:0x76
	place = ambient
	[store]
	path = /disk/store
	segment = 1min
	segment_size = 66kB
	keep = 1h
	size = 100MB
	[watchdog]
	device = none
STATION

mount_disk() {
	mkdir -p /disk
	modprobe virtio_blk && mount -t ext4 /dev/vda /disk
}
# write_trace SECONDS ROWS [BEFORE]: every 20 s from that second of the epoch on, but for 55 min after so many rows. No
# two temperatures that are near are alike.
write_trace() {
	awk -v start="$1" -v rows="$2" -v before="${3:-$2}" 'BEGIN {
		print "time,celsius"
		for (i = 0; i < rows; i++)
			print strftime("%Y-%m-%dT%H:%M:%SZ", start + 20 * i + (i < before ? 0 : 3300), 1) "," \
				(int(start / 20 + i) * 7 % 2000) / 16 - 40
	}' </dev/null >/tmp/trace.csv
}
measure() { # PRELOAD: a library, or none
	RUNTIME_DIRECTORY=/tmp LD_PRELOAD=${1:-} cryo_daemon --config /tmp/station.ini --simulate /tmp/trace.csv --print
}
