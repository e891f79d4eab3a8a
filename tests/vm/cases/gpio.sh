# SPDX-License-Identifier: Apache-2.0
# Doors, mains and lamps on the kernel's gpio-sim, by the libgpiod that the library is built with; and a station of them.
if ! command -v gpio_case >/dev/null; then
	skip "all of it" "the library is built without libgpiod"
	exit 0
fi
emulator gpio-sim
run gpio_case

chip=/sys/kernel/config/gpio-sim/station
mkdir $chip $chip/bank0
echo 8 >$chip/bank0/num_lines
mkdir $chip/bank0/line0 $chip/bank0/line1
echo lid >$chip/bank0/line0/name
echo alarm >$chip/bank0/line1/name
echo 1 >$chip/live
wires=/sys/devices/platform/$(cat $chip/dev_name)/$(cat $chip/bank0/chip_name)
folder=$(mktemp -d)
cat >"$folder/station.ini" <<END
[sensor lid]
address = door@gpio:lid
every = 1s
[output alarm]
address = lamp@gpio:alarm
[store]
path = $folder/store
[watchdog]
device = none
END
cryo_daemon -c "$folder/station.ini" --control "$folder/control" --status "$folder/status.json" 2>"$folder/log" &
daemon=$!
for _ in $(seq 100); do
	[ -S "$folder/control" ] && grep -q '"on":false' "$folder/status.json" && break
	sleep 0.2
done
check 'a command switches a lamp' kryosctl --socket "$folder/control" command output name=alarm state=on
sleep 1
same 'the lamp is on' 1 "$(cat "$wires/sim_gpio1/value")"
# The pull-up that the door has by default reads as open.
echo pull-down >"$wires/sim_gpio0/pull"
sleep 2
echo pull-up >"$wires/sim_gpio0/pull"
sleep 2
kill "$daemon"
wait "$daemon"
same 'the daemon ends in good order' 0 $?
same 'the lamp is off' 0 "$(cat "$wires/sim_gpio1/value")"
kryosctl --store "$folder/store" tail --events >"$folder/events"
check 'the door was closed, is on the disk' grep 'lid.open.*closed' "$folder/events"
check 'how long it was closed, is on the disk' grep -E 'lid.open.*open after [12]\.[0-9]{3} s closed' "$folder/events"
sed 's/^/# /' "$folder/events"
echo 0 >$chip/live
rmdir $chip/bank0/line0 $chip/bank0/line1 $chip/bank0 $chip
rm -rf "$folder"
