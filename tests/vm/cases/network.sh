# SPDX-License-Identifier: Apache-2.0
# A device without time and without network. The host's part gives it both, takes the network away again and again, and
# counts what arrives.
emulator i2c-dev
emulator cold_i2c bme280=0x76
emulator qemu_fw_cfg
emulator virtio_pci
emulator virtio_net
export RUNTIME_DIRECTORY=/run/kryos
mkdir -p /run/kryos
cd /run/kryos || exit 1
tar -xf /sys/firmware/qemu_fw_cfg/by_name/opt/kryos/network/raw
sed -i "s/@BUS:/@$(i2c_bus 'cold emulated I2C'):/" station.ini
[ -e /etc/passwd ] || echo root:x:0:0:root:/root:/bin/sh >/etc/passwd # chronyd looks for its user

network() { # up|down
	ip address replace 10.0.2.15/24 dev eth0
	ip link set eth0 "$1"
}
status_says() { # TEXT: prints the status once it does
	until grep -q "$1" status.json; do sleep 1; done
	echo "# status $(cat status.json)"
}
synchronise() { chronyd -u root -f /run/kryos/chrony.conf; }
stop() {
	kill "$daemon" "$tail"
	wait "$daemon"
	same 'the daemon ends well' 0 $?
	kryosctl export --store /run/kryos/store --json
}

cryo_daemon --config station.ini &
daemon=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e store/state.db ] || sleep 1; done
# Each record as soon as it is accepted, read from the disk.
kryosctl tail --store /run/kryos/store --json --follow --count 1000 &
tail=$!
while read -r line && [ "$line" != end ]; do eval "$line"; done
