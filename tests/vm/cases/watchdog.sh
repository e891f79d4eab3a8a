# SPDX-License-Identifier: Apache-2.0
# The hardware watchdogs i6300esb and ib700, and softdog. One machine that is reset again and again; each boot, counted
# on the disk, does one thing. Times are the host's (watchdog.py), which sees these lines, each pet, and the reset.
probes=/sys/kernel/debug/tracing
modprobe crc32c_generic
modprobe ext4
modprobe virtio_pci
modprobe virtio_blk
modprobe i6300esb
mkdir -p /data
mount -t ext4 /dev/vda /data
[ -e /data/boot ] || exit 1
boot=$(($(cat /data/boot) + 1))
echo "$boot" >/data/boot
sync
echo # the reset may have come in the middle of a line
echo "# boot $boot bootstatus $(cat /sys/class/watchdog/watchdog0/bootstatus)"

# When the driver was told last, whoever told it, as lines "# pet STAMP NOW" of the kernel's CLOCK_MONOTONIC. They are looked
# for, for trace_pipe keeps a line back until the next comes. Of "TASK-PID [CPU] FLAGS STAMP: pet: (WHERE)".
show_pets() { # MODULE:FUNCTION
	echo mono >$probes/trace_clock
	echo "p:pet $1" >$probes/kprobe_events
	echo 1 >$probes/events/kprobes/pet/enable
	last=
	while sleep 0.2; do
		stamp=$(sed -n '$s/.* \([0-9.]*\): pet: .*/\1/p' $probes/trace)
		[ "$stamp" != "$last" ] || continue
		read -r now _ </proc/uptime
		echo "# pet $stamp $now"
		last=$stamp
	done &
}
# daemon [DEVICE TIMEOUT]: starts it, and waits until it runs.
daemon() {
	sed "s,@dog@,${1:-/dev/watchdog0},; s,@timeout@,${2:-15s},; s,@bus@,$bus," /data/station.ini >/tmp/station.ini
	cryo_daemon --config /tmp/station.ini 2>&1 &
	pid=$!
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		grep -q '"state": *"running"' /run/kryos/status.json 2>/dev/null && break
		sleep 1
	done
}
# stop: as it is told to; its exit status.
stop() {
	kill -TERM $pid
	wait $pid
}
# What the store has, as it comes.
show_store() { kryosctl --store /data/store tail -f -n 1 --json | while read -r line; do echo "# stored $line"; done & }
# says WHAT LINE [DEVICE TIMEOUT]: all that a daemon has to say of that watchdog.
says() {
	daemon "$3" "$4" >/tmp/log
	stop
	same "$1" "$2" "$(grep watchdog /tmp/log)"
}

emulator i2c-dev
emulator cold_i2c bme280=0x76
emulator wire timeout=1
emulator cold_w1 chips=1
emulator w1_therm
echo 84 >/sys/module/cold_w1/parameters/sixteenths
bus=$(i2c_bus 'cold emulated I2C')
modprobe virtio_net
ifconfig eth0 10.0.2.15

case $boot in
1) # How long this machine's hardware takes, with nothing of ours.
	show_pets i6300esb:esb_timer_keepalive
	watchdog_case pet /dev/watchdog0 15 &
	sleep 3
	kill -KILL $!
	echo '# killed'
	;;
2)
	show_pets i6300esb:esb_timer_keepalive
	daemon
	show_store
	sleep 6
	kill -KILL $pid
	echo '# killed'
	;;
3)
	show_pets i6300esb:esb_timer_keepalive
	daemon
	show_store
	sleep 6
	kill -STOP $pid
	echo '# stopped'
	;;
4) # A relay hangs in its transport: it looks in vain for a network, and never comes back from a call.
	ifconfig eth0 down
	show_pets i6300esb:esb_timer_keepalive
	daemon
	show_store
	sleep 6
	watchdog_case hold $pid kryos-relay &
	;;
5) # A chip hangs in the kernel for a minute, and the daemon is stopped meanwhile; then softdog.
	daemon
	show_store
	sleep 6
	echo 60000000 >/sys/module/cold_i2c/parameters/delay_us
	sleep 3
	echo 0 >/sys/module/cold_i2c/parameters/delay_us # for what comes after
	echo '# the bus hangs'
	sleep 20
	echo '# told to stop'
	stop
	same 'the daemon stops in good order while a bus hangs' 0 $?
	echo '# stopped'
	sleep 21
	echo '# no reset'
	modprobe softdog
	show_pets softdog:softdog_ping
	daemon /dev/watchdog1
	sleep 6
	kill -KILL $pid
	echo '# killed'
	;;
6) # The disk hangs.
	show_pets i6300esb:esb_timer_keepalive
	daemon
	sleep 6
	echo '# frozen'
	fsfreeze --freeze /data
	;;
7)
	watchdog_case pet /dev/watchdog0 15 &
	holder=$!
	sleep 1
	says 'a device that another process holds is one line' \
		"error: station: no watchdog: /dev/watchdog0: held by watchdog_case (pid $holder)"
	kill -KILL $holder
	says 'a device that is free again is taken' ''
	says 'a device that is not there is one line' \
		'error: station: no watchdog: /dev/watchdog7: no such device; is the watchdog'"'"'s driver loaded?' /dev/watchdog7
	modprobe -r i6300esb softdog
	modprobe ib700wdt # at most 30 s
	says 'half of the timeout that is asked for is taken, and one line says so' \
		'warning: watchdog: /dev/watchdog: a timeout of 60 s was asked for, the hardware has 30 s' /dev/watchdog 60s
	says 'less than half of it is refused, in one line' \
		'error: station: no watchdog: /dev/watchdog: a timeout of 61 s was asked for, the hardware can do 30 s' /dev/watchdog 61s
	daemon /dev/watchdog 30s
	sleep 35 # a watchdog that nobody pets, or one that was left running, would show
	stop
	umount /data
	;;
esac
[ "$boot" = 7 ] || sleep 120
