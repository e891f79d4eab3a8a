# SPDX-License-Identifier: Apache-2.0
# A door's alarm on the kernel's gpio-sim: what lamp and buzzer do, the button that acknowledges and tests, and a daemon
# that is killed while the alarm is open.
if ! command -v gpio_case >/dev/null; then
	skip "all of it" "the library is built without libgpiod"
	exit "$failed"
fi
emulator gpio-sim
make_chip alarms lid lamp beeper ack
echo 1 >$chip/live
wires=/sys/devices/platform/$(cat $chip/dev_name)/$(cat $chip/bank0/chip_name)
wire() { cat "$wires/sim_gpio$1/value"; }
pull() { echo "pull-$2" >"$wires/sim_gpio$1/pull"; }
# Both levels within a while.
blinks() { # OFFSET
	seen=
	for _ in $(seq 150); do
		seen=$seen$(wire "$1")
		case $seen in *0*1* | *1*0*) return ;; esac
		sleep 0.05
	done
	echo "it stays $(wire "$1")"
	return 1
}
# That level for three seconds on end, within fifteen.
rests() { # OFFSET LEVEL
	count=0
	for _ in $(seq 300); do
		if [ "$(wire "$1")" = "$2" ]; then count=$((count + 1)); else count=0; fi
		[ $count -lt 60 ] || return 0
		sleep 0.05
	done
	echo "it does not stay $2"
	return 1
}
folder=$(mktemp -d)
at_end "rm -rf $folder"
cat >"$folder/station.ini" <<END
[sensor lid]
address = door@gpio:lid
bias = off
every = 1s
[rule open]
kind = door
comparator = ge
threshold = 1
duration = 3s
[profile lid]
rules = open
[alarm lid]
channel = lid.open
profile = lid
[output lamp]
address = lamp@gpio:lamp
shows = alarms
[output beeper]
address = buzzer@gpio:beeper
shows = alarm-sound
[button ack]
address = button@gpio:ack
[store]
path = $folder/store
[watchdog]
device = none
END
daemon=
start() {
	cryo_daemon -c "$folder/station.ini" --control "$folder/control" --status "$folder/status.json" 2>>"$folder/log" &
	daemon=$!
	for _ in $(seq 100); do
		kryosctl --socket "$folder/control" status >/dev/null 2>&1 && break
		sleep 0.2
	done
}
at_end 'kill $daemon 2>/dev/null'
ask() { kryosctl --socket "$folder/control" "$@"; }
told() { kryosctl --store "$folder/store" export --events | grep -c ",$1,"; }
# told_is EVENT COUNT: within ten seconds.
told_is() {
	for _ in $(seq 50); do
		[ "$(told "$1")" = "$2" ] && return
		sleep 0.2
	done
	echo "it is $(told "$1")"
	return 1
}
open_since() { ask --json alarm | sed -n 's/.*"start":"\([^"]*\)".*/\1/p'; }

pull 0 down
pull 3 up
start
check 'no alarm, no lamp' rests 1 0
pull 0 up
check 'an open door is an alarm after three seconds' told_is alarm-on 1
check 'its lamp blinks' blinks 1
check 'its buzzer sounds now and then' blinks 2
since=$(open_since)
check 'it is listed' [ -n "$since" ]

kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
start
check 'a killed daemon goes on with it' blinks 1
same 'since when, is as before' "$since" "$(open_since)"
same 'and is told once' 1 "$(told alarm-on)"

pull 3 down
sleep 0.5
pull 3 up
check 'a press of the button acknowledges it' told_is acknowledged 1
check 'its lamp is steady' rests 1 1
check 'its buzzer is silent' rests 2 0
pull 0 down
check 'a closed door ends it' told_is alarm-off 1
check 'its lamp is off' rests 1 0
same 'no problem is left' '' "$(ask --json alarm | grep -o '"start"')"

pull 3 down
check 'a long press tests lamp and buzzer, and says so' told_is test 1
pull 3 up
same 'which is no alarm' 1 "$(told alarm-on)"
kill "$daemon"
wait "$daemon"
same 'the daemon ends in good order' 0 $?
check 'all of it can be checked' kryosctl verify "$folder/store"
kryosctl --store "$folder/store" export --events | grep -E ',(alarm-on|alarm-off|acknowledged|test),' | cut -c1-200 | sed 's/^/# /'
