# SPDX-License-Identifier: Apache-2.0
# Doors, mains, lamps and buzzers on the kernel's gpio-sim, by the libgpiod that the library is built with; and a station
# of them.
if ! command -v gpio_case >/dev/null; then
	skip "all of it" "the library is built without libgpiod"
	exit "$failed"
fi
emulator gpio-sim
run gpio_case
run gpio_output_case

make_chip expander vent
late=$chip
make_chip station lid grid alarm beeper
echo 1 >$chip/live
wires=/sys/devices/platform/$(cat $chip/dev_name)/$(cat $chip/bank0/chip_name)
wire() { cat "$wires/sim_gpio$1/value"; }
# wire_is OFFSET LEVEL: within twenty seconds; a station looks for problems every five.
wire_is() {
	for _ in $(seq 200); do
		[ "$(wire "$1")" = "$2" ] && return
		sleep 0.1
	done
	echo "it is $(wire "$1")"
	return 1
}
trace=/sys/kernel/debug/tracing/instances/station
if [ -e /sys/kernel/debug/tracing/events/gpio/gpio_value ]; then
	mkdir $trace
	at_end rmdir $trace
	echo 'get == 0' >$trace/events/gpio/gpio_value/filter
	echo 1 >$trace/events/gpio/gpio_value/enable
fi
folder=$(mktemp -d)
at_end "rm -rf $folder"
cat >"$folder/station.ini" <<END
[sensor lid]
address = door@gpio:lid
every = 1s
[sensor grid]
address = mains@gpio:grid
active = low
bias = pull-up
debounce = 200ms
every = 1s
[sensor vent]
address = door@gpio:vent
every = 1s
[output alarm]
address = lamp@gpio:alarm
[output beeper]
address = buzzer@gpio:beeper
active = low
shows = problems
[store]
path = $folder/store
[watchdog]
device = none
END
cryo_daemon -c "$folder/station.ini" --control "$folder/control" --status "$folder/status.json" 2>"$folder/log" &
daemon=$!
at_end "kill $daemon 2>/dev/null"
for _ in $(seq 100); do
	[ -S "$folder/control" ] && grep -q '"on":false' "$folder/status.json" && break
	sleep 0.2
done
check 'a buzzer that shows problems sounds while a chip is missing: its line, active low, is low' wire_is 3 0
echo 1 >$late/live
check 'it is silent once the chip is there' wire_is 3 1
check 'a command switches a lamp' kryosctl --socket "$folder/control" command output name=alarm state=on
check 'the lamp is on' wire_is 2 1
same 'the line of mains has the pull-up that was asked for' 1 "$(wire 1)"
echo pull-down >"$wires/sim_gpio1/pull"
sleep 1
# The pull-up that the door has by default reads as open.
echo pull-down >"$wires/sim_gpio0/pull"
sleep 2
echo pull-up >"$wires/sim_gpio0/pull"
sleep 2
kill "$daemon"
wait "$daemon"
same 'the daemon ends in good order' 0 $?
if [ -e $trace ]; then
	# What each line was told last; one that nobody holds any more goes back to its pull.
	last=$(sed -n 's/.*gpio_value: *\([0-9]*\) set \([01]\)$/\1 \2/p' $trace/trace | sort -n -k 1,1 -s |
		awk '$1 != line && NR > 1 { print level } { line = $1; level = $2 } END { print level }')
	same 'lamp and buzzer were switched off at its end' '0 1' "$(echo $last)"
else
	skip 'lamp and buzzer were switched off at its end' 'this kernel does not trace what lines are told to be'
fi
kryosctl --store "$folder/store" tail --events >"$folder/events"
check 'the door was closed, is on the disk' grep 'lid.open.*  closed$' "$folder/events"
check 'how long it was closed, is on the disk' grep -E 'lid.open.*open after [1-9]\.[0-9]{3} s closed' "$folder/events"
check 'that mains came, is on the disk' grep 'grid.present.*present' "$folder/events"
sed 's/^/# /' "$folder/events"
