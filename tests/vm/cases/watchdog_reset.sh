# SPDX-License-Identifier: Apache-2.0
# The daemon is killed: its hardware watchdog, an i6300esb, resets the machine, and the next start says why. The store is
# in memory and lost with it, so that what is told comes from the hardware alone. The host's part sees both boots.
emulator i6300esb
emulator i2c-dev
emulator cold_i2c bme280=0x76
cat >/tmp/station.ini <<-STATION
	[station]
	name = Watchdog
	[sensor room]
	address = bme280@$(i2c_bus 'cold emulated I2C'):0x76
	place = ambient
	every = 1s
	[store]
	path = /tmp/store
	[watchdog]
	device = /dev/watchdog0
	timeout = 15s
STATION
status=$(cat /sys/class/watchdog/watchdog0/bootstatus)
echo "# bootstatus $status"
cryo_daemon --config /tmp/station.ini 2>&1 &
pid=$!
running() { grep -q '"state": *"running"' /run/kryos/status.json 2>/dev/null; }
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do running || sleep 1; done
check 'the daemon runs' running
same 'the hardware has the timeout that was asked for' 15 "$(cat /sys/class/watchdog/watchdog0/timeout)"
if [ "$status" = 0 ]; then
	kill -KILL $pid
	echo '# killed'
	sleep 120
	not_ok 'the machine is reset'
else
	kill -TERM $pid
	wait $pid
	same 'the daemon stops in good order' 0 $?
	events=$(kryosctl --store /tmp/store export --json --events)
	told=$(echo "$events" | grep -o 'watchdog reset; nothing is known of a run before')
	same 'what began after the reset says that the watchdog did it' \
		'watchdog reset; nothing is known of a run before' "$told"
	sleep 17 # what was left running would show
	ok 'and leaves the watchdog stopped'
fi
