# SPDX-License-Identifier: Apache-2.0
# The first evening with a board: what kryosctl says where things are missing, the station file it writes where they are
# there, the daemon with that file, and the doctor while it runs, with a probe and without.
# It writes where a station of somebody would be: only in the machine, whose root is ours.
if ! [ -e /vm/guest/play ]; then
	skip "all of it" "a board has chips, a watchdog and a station file of its own"
	exit 0
fi
dir=$(mktemp -d)
at_end "rm -rf $dir"
store=/var/lib/kryos file=/etc/kryos/station.ini
# As a new user runs it, on what could be a Raspberry Pi.
mkdir -p /boot/firmware /var/lib
: >/boot/firmware/config.txt
ctl() { kryosctl --socket "$dir/control" "$@"; }
shown() { sed 's/^/# /' "$1"; }

emulator i2c-dev
ctl setup >"$dir/missing" 2>&1
same 'setup without sensors writes nothing' "1 no" "$? $([ -e "$file" ] && echo yes || echo no)"
shown "$dir/missing"
check 'what is missing is named' grep -qE '^  w1 +nothing: .*(w1-gpio|1-Wire)' "$dir/missing"

emulator cold_i2c bme280=0x76 ds3231=0x68
emulator rtc-ds1307
emulator wire timeout=1
emulator cold_w1 chips=1
emulator w1_therm
emulator softdog
echo 84 >/sys/module/cold_w1/parameters/sixteenths
bus=$(i2c_bus 'cold emulated I2C')
echo ds3231 0x68 >"/sys/bus/i2c/devices/$bus/new_device"
at_end "echo 0x68 >/sys/bus/i2c/devices/$bus/delete_device"
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e /sys/bus/w1/devices/28-010000000001/w1_slave ] && [ -e /dev/rtc0 ] && break; sleep 1; done
rtc=/dev/$(ls "/sys/bus/i2c/devices/${bus#i2c-}-0068/rtc")
hwclock -w -u -f "$rtc"

ctl scan --json >"$dir/scan"
check 'scan finds the three chips' sh -c "[ \$(grep -c '\"usable\":true' $dir/scan) = 3 ]"
ctl setup >"$dir/transcript" 2>&1
same 'setup succeeds' 0 $?
shown "$dir/transcript"
check 'the clock, its time kept' grep -qE "^  $bus 0x68  ds3231   clock 20[0-9-]* [0-9:]* UTC, battery has kept it" "$dir/transcript"
check 'the sensor in the air' grep -qE "^  $bus 0x76  bme280   .* Cel  .* %RH  .* hPa" "$dir/transcript"
check 'the probe' grep -qx '  w1          ds18b20  28-010000000001  5.2 Cel' "$dir/transcript"
check 'the watchdog' grep -qE '^  watchdog    /dev/watchdog0 \(Software Watchdog\)' "$dir/transcript"
check 'the disk' grep -qE "^  disk +$store, sync [0-9]+ ms \(worst of 50: [0-9]+ ms\), room for " "$dir/transcript"
shown "$file"
check 'the daemon takes the file' cryo_daemon --check -c "$file"
ctl setup >"$dir/again" 2>&1
same 'a file that is there stays' 1 $?

# Every minute is long for a test.
sed -i 's/^every .*/every = 3s/' "$file"
cryo_daemon -c "$file" --control "$dir/control" --status "$dir/status.json" 2>"$dir/log" &
daemon=$!
# fridge_is VALUE: within a minute.
fridge_is() {
	for _ in $(seq 60); do
		ctl read --json 2>/dev/null | grep -q "\"fridge.temperature\",\"value\":$1," && return
		sleep 1
	done
	return 1
}
# How many things the doctor has found.
things() { sed -n 's/^all is well$/0/p; s/^\([0-9]*\) things\{0,1\} to look after, .*/\1/p' "$dir/doctor"; }
check 'the daemon measures' fridge_is 5.25
ctl doctor --store "$store" >"$dir/doctor"
shown "$dir/doctor"
check 'the doctor has the readings' grep -q '^  fridge.temperature 5.25 Cel' "$dir/doctor"
check 'the doctor has the clock' grep -qE '^  rtc +battery has kept it' "$dir/doctor"
same 'the doctor has nothing to say of the probe' 0 "$(grep -c '^! fridge' "$dir/doctor")"
before=$(things)
echo 0 >/sys/module/cold_w1/parameters/present
check 'the daemon misses the probe' fridge_is null
ctl doctor --store "$store" >"$dir/doctor"
same 'a probe that is gone is one thing more to look after' "1: $((before + 1))" "$?: $(things)"
shown "$dir/doctor"
check 'and is marked' grep -qE '^! fridge.temperature' "$dir/doctor"
kill "$daemon"
wait "$daemon"
same 'the daemon ends in good order' 0 $?
