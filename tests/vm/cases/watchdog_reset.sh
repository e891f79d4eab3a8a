# SPDX-License-Identifier: Apache-2.0
# The daemon is killed: its hardware watchdog resets the machine, and the next start says why. In the machine that is an
# i6300esb, the host's part sees both boots, and the store is in memory and lost, so that what is told comes from the hardware
# alone. On a board it is what KRYOS_TEST_WATCHDOG names, and the case is started once more after the reset.
timeout=15
if [ -n "${KRYOS_TEST_WATCHDOG:-}" ]; then
	device=$KRYOS_TEST_WATCHDOG
	sensor=bme280@i2c-0:0x76 # which need not be there
	folder=$(cd "$here/../../.." && pwd)/build/vm/watchdog_reset
	mkdir -p "$folder"
	status=0
	[ ! -e "$folder/killed" ] || status=again
else
	emulator i6300esb
	emulator i2c-dev
	emulator cold_i2c bme280=0x76
	device=/dev/watchdog0
	sensor=bme280@$(i2c_bus 'cold emulated I2C'):0x76
	folder=/tmp
	status=$(cat /sys/class/watchdog/watchdog0/bootstatus)
	echo "# bootstatus $status"
fi
boot_id=$(cat /proc/sys/kernel/random/boot_id)
if [ "$status" = again ] && [ "$(cat "$folder/killed")" = "$boot_id" ]; then
	not_ok 'the board was reset since the daemon was killed'
	rm -rf "$folder"
	exit 1
fi
cat >"$folder/station.ini" <<-STATION
	[station]
	name = Watchdog
	[sensor room]
	address = $sensor
	place = ambient
	every = 1s
	[store]
	path = $folder/store
	[watchdog]
	device = $device
	timeout = ${timeout}s
STATION
rm -f "$folder/status.json"
cryo_daemon --config "$folder/station.ini" --control "$folder/control" --status "$folder/status.json" 2>&1 &
pid=$!
running() { grep -q '"state": *"running"' "$folder/status.json" 2>/dev/null; }
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do running || sleep 1; done
check 'the daemon runs' running
check 'and has the watchdog' grep -q "\"device\": *\"$device\"" "$folder/status.json"
same 'the hardware has the timeout that was asked for' $timeout "$(cat "/sys/class/watchdog/${device##*/}/timeout")"
if [ "$status" = 0 ]; then
	echo "$boot_id" >"$folder/killed"
	sync
	kill -KILL $pid
	echo '# killed'
	sleep 120
	not_ok 'the machine is reset'
else
	kill -TERM $pid
	wait $pid
	same 'the daemon stops in good order' 0 $?
	events=$(kryosctl --store "$folder/store" export --json --events)
	if [ "$status" = again ]; then
		# Not every hardware says that it did it.
		told=$(echo "$events" | grep -m 1 -o -e 'watchdog reset; no task was named: process gone, or a disk that hung' \
			-e 'process gone: killed or power lost' | tail -n 1)
		check "what began after the reset says so: ${told:-nothing}" [ -n "$told" ]
		rm -rf "$folder"
	else
		told=$(echo "$events" | grep -o 'watchdog reset; nothing is known of a run before')
		same 'what began after the reset says that the watchdog did it' \
			'watchdog reset; nothing is known of a run before' "$told"
	fi
	sleep $((timeout + 2)) # what was left running would show
	ok 'and leaves the watchdog stopped'
fi
