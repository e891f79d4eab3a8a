SUMMARY = "Library for cold-chain (vaccine) monitoring devices"
DESCRIPTION = "Measures, keeps and relays, unattended, with bad power and a bad network. cryo_daemon is a station from one \
file, kryosctl the hand tool."
SECTION = "libs"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"

DEPENDS = "sqlite3"

# The tree that this layer lies in. A product takes a release instead: remove these five lines, and name its tarball, which
# unpacks to ${BP}, in SRC_URI; S is right then in every series.
inherit externalsrc
KRYOS_SOURCE ?= "${@os.path.normpath(os.path.join(d.getVar('THISDIR'), '../../../../..'))}"
EXTERNALSRC = "${KRYOS_SOURCE}"
EXTERNALSRC_BUILD = "${WORKDIR}/build"
EXTERNALSRC_SYMLINKS = ""

inherit cmake pkgconfig systemd update-rc.d useradd

# Each is the CMake option of its name. What is off by default costs libraries that few images have.
PACKAGECONFIG ??= "with-inih with-cjson with-crypto bus-i2c-dev bus-gpiod transport-paho build-daemon \
    bus-spidev bus-sysfs bus-w1-sysfs codec-senml \
    sensor-ads1115 sensor-adt7420 sensor-bme280 sensor-bmp280 sensor-button sensor-door sensor-ds18b20 sensor-hwmon \
    sensor-iio sensor-ina226 sensor-mains sensor-max31856 sensor-max31865 sensor-mcp9808 sensor-power-supply \
    sensor-sht3x sensor-sht4x sensor-sts3x sensor-thermal sensor-tmp117 \
    rtc-ds3231 rtc-node watchdog-wdt watchdog-systemd watchdog-none \
"
PACKAGECONFIG[with-inih] = "-DKRYOS_WITH_INIH=ON,-DKRYOS_WITH_INIH=OFF,libinih"
PACKAGECONFIG[with-cjson] = "-DKRYOS_WITH_CJSON=ON,-DKRYOS_WITH_CJSON=OFF,cjson"
PACKAGECONFIG[with-crypto] = "-DKRYOS_WITH_CRYPTO=ON,-DKRYOS_WITH_CRYPTO=OFF,openssl"
PACKAGECONFIG[with-report] = "-DKRYOS_WITH_REPORT=ON,-DKRYOS_WITH_REPORT=OFF,cairo"
PACKAGECONFIG[bus-i2c-dev] = "-DKRYOS_BUS_I2C_DEV=ON,-DKRYOS_BUS_I2C_DEV=OFF,i2c-tools"
PACKAGECONFIG[bus-gpiod] = "-DKRYOS_BUS_GPIOD=ON,-DKRYOS_BUS_GPIOD=OFF,libgpiod"
PACKAGECONFIG[transport-paho] = "-DKRYOS_TRANSPORT_PAHO=ON,-DKRYOS_TRANSPORT_PAHO=OFF,paho-mqtt-c openssl"
PACKAGECONFIG[build-daemon] = "-DKRYOS_BUILD_DAEMON=ON,-DKRYOS_BUILD_DAEMON=OFF"
PACKAGECONFIG[build-testing-library] = "-DKRYOS_BUILD_TESTING_LIBRARY=ON,-DKRYOS_BUILD_TESTING_LIBRARY=OFF"
PACKAGECONFIG[daemon-simulate] = "-DKRYOS_DAEMON_SIMULATE=ON,-DKRYOS_DAEMON_SIMULATE=OFF"
PACKAGECONFIG[bus-spidev] = "-DKRYOS_BUS_SPIDEV=ON,-DKRYOS_BUS_SPIDEV=OFF"
PACKAGECONFIG[bus-sysfs] = "-DKRYOS_BUS_SYSFS=ON,-DKRYOS_BUS_SYSFS=OFF"
PACKAGECONFIG[bus-w1-sysfs] = "-DKRYOS_BUS_W1_SYSFS=ON,-DKRYOS_BUS_W1_SYSFS=OFF"
PACKAGECONFIG[codec-senml] = "-DKRYOS_CODEC_SENML=ON,-DKRYOS_CODEC_SENML=OFF"
PACKAGECONFIG[sensor-ads1115] = "-DKRYOS_SENSOR_ADS1115=ON,-DKRYOS_SENSOR_ADS1115=OFF"
PACKAGECONFIG[sensor-adt7420] = "-DKRYOS_SENSOR_ADT7420=ON,-DKRYOS_SENSOR_ADT7420=OFF"
PACKAGECONFIG[sensor-bme280] = "-DKRYOS_SENSOR_BME280=ON,-DKRYOS_SENSOR_BME280=OFF"
PACKAGECONFIG[sensor-bmp280] = "-DKRYOS_SENSOR_BMP280=ON,-DKRYOS_SENSOR_BMP280=OFF"
PACKAGECONFIG[sensor-button] = "-DKRYOS_SENSOR_BUTTON=ON,-DKRYOS_SENSOR_BUTTON=OFF"
PACKAGECONFIG[sensor-door] = "-DKRYOS_SENSOR_DOOR=ON,-DKRYOS_SENSOR_DOOR=OFF"
PACKAGECONFIG[sensor-ds18b20] = "-DKRYOS_SENSOR_DS18B20=ON,-DKRYOS_SENSOR_DS18B20=OFF"
PACKAGECONFIG[sensor-hwmon] = "-DKRYOS_SENSOR_HWMON=ON,-DKRYOS_SENSOR_HWMON=OFF"
PACKAGECONFIG[sensor-iio] = "-DKRYOS_SENSOR_IIO=ON,-DKRYOS_SENSOR_IIO=OFF"
PACKAGECONFIG[sensor-ina226] = "-DKRYOS_SENSOR_INA226=ON,-DKRYOS_SENSOR_INA226=OFF"
PACKAGECONFIG[sensor-mains] = "-DKRYOS_SENSOR_MAINS=ON,-DKRYOS_SENSOR_MAINS=OFF"
PACKAGECONFIG[sensor-max31856] = "-DKRYOS_SENSOR_MAX31856=ON,-DKRYOS_SENSOR_MAX31856=OFF"
PACKAGECONFIG[sensor-max31865] = "-DKRYOS_SENSOR_MAX31865=ON,-DKRYOS_SENSOR_MAX31865=OFF"
PACKAGECONFIG[sensor-mcp9808] = "-DKRYOS_SENSOR_MCP9808=ON,-DKRYOS_SENSOR_MCP9808=OFF"
PACKAGECONFIG[sensor-power-supply] = "-DKRYOS_SENSOR_POWER_SUPPLY=ON,-DKRYOS_SENSOR_POWER_SUPPLY=OFF"
PACKAGECONFIG[sensor-sht3x] = "-DKRYOS_SENSOR_SHT3X=ON,-DKRYOS_SENSOR_SHT3X=OFF"
PACKAGECONFIG[sensor-sht4x] = "-DKRYOS_SENSOR_SHT4X=ON,-DKRYOS_SENSOR_SHT4X=OFF"
PACKAGECONFIG[sensor-sts3x] = "-DKRYOS_SENSOR_STS3X=ON,-DKRYOS_SENSOR_STS3X=OFF"
PACKAGECONFIG[sensor-thermal] = "-DKRYOS_SENSOR_THERMAL=ON,-DKRYOS_SENSOR_THERMAL=OFF"
PACKAGECONFIG[sensor-tmp117] = "-DKRYOS_SENSOR_TMP117=ON,-DKRYOS_SENSOR_TMP117=OFF"
PACKAGECONFIG[rtc-ds3231] = "-DKRYOS_RTC_DS3231=ON,-DKRYOS_RTC_DS3231=OFF"
PACKAGECONFIG[rtc-node] = "-DKRYOS_RTC_NODE=ON,-DKRYOS_RTC_NODE=OFF"
PACKAGECONFIG[watchdog-wdt] = "-DKRYOS_WATCHDOG_WDT=ON,-DKRYOS_WATCHDOG_WDT=OFF"
PACKAGECONFIG[watchdog-systemd] = "-DKRYOS_WATCHDOG_SYSTEMD=ON,-DKRYOS_WATCHDOG_SYSTEMD=OFF"
PACKAGECONFIG[watchdog-none] = "-DKRYOS_WATCHDOG_NONE=ON,-DKRYOS_WATCHDOG_NONE=OFF"

EXTRA_OECMAKE = "-DBUILD_TESTING=OFF"

do_install:append() {
    if ${@bb.utils.contains('PACKAGECONFIG', 'build-daemon', 'true', 'false', d)}; then
        install -d ${D}${sysconfdir}/kryos ${D}${systemd_system_unitdir} ${D}${sysconfdir}/init.d
        install -m 0644 ${S}/examples/station/station.ini ${D}${sysconfdir}/kryos/station.ini
        install -d ${D}${nonarch_base_libdir}/udev/rules.d
        install -m 0644 ${S}/examples/cryo_daemon/cryo_daemon.service ${D}${systemd_system_unitdir}/
        install -m 0644 ${S}/examples/cryo_daemon/60-kryos.rules ${D}${nonarch_base_libdir}/udev/rules.d/
        install -m 0755 ${S}/examples/buildroot/package/libkryos/S60cryo_daemon ${D}${sysconfdir}/init.d/cryo_daemon
    fi
}

PACKAGE_BEFORE_PN = "${PN}-daemon ${PN}-tools"
PACKAGES =+ "${PN}-testing-dev"
# An image may have the library alone: the daemon's package is empty then, and is made all the same.
ALLOW_EMPTY:${PN}-daemon = "1"

FILES:${PN}-testing-dev = "${includedir}/kryos/testing ${libdir}/libkryos-testing.a ${libdir}/pkgconfig/kryos-testing.pc"
FILES:${PN}-daemon = "${sbindir}/cryo_daemon ${sysconfdir}/kryos ${sysconfdir}/init.d ${systemd_system_unitdir} \
    ${nonarch_base_libdir}/udev/rules.d"
FILES:${PN}-tools = "${bindir}/kryosctl"
CONFFILES:${PN}-daemon = "${sysconfdir}/kryos/station.ini"
RDEPENDS:${PN}-testing-dev = "${PN}-dev"
RDEPENDS:${PN}-tools = "${@bb.utils.contains('PACKAGECONFIG', 'with-report', 'ttf-dejavu-sans ttf-dejavu-sans-mono', '', d)}"
# All of the zones: one that is not there is a mistake in the station file, and tzdata-core has only a few.
RRECOMMENDS:${PN}-daemon = "${PN}-tools tzdata"
# A static library goes to a -dev package on purpose: fakes are for tests of firmware, not for images.
INSANE_SKIP:${PN}-testing-dev += "staticdev"

# Where there is no daemon, there is neither unit nor script; systemd.bbclass does not build a package that has none.
DAEMON_PACKAGES = "${@bb.utils.contains('PACKAGECONFIG', 'build-daemon', '${PN}-daemon', '', d)}"
SYSTEMD_PACKAGES = "${DAEMON_PACKAGES}"
SYSTEMD_SERVICE:${PN}-daemon = "cryo_daemon.service"
INITSCRIPT_PACKAGES = "${DAEMON_PACKAGES}"
INITSCRIPT_NAME:${PN}-daemon = "cryo_daemon"
INITSCRIPT_PARAMS:${PN}-daemon = "defaults 60"
USERADD_PACKAGES = "${PN}-daemon"
GROUPADD_PARAM:${PN}-daemon = "-r kryos; -r gpio; -r i2c; -r spi"
USERADD_PARAM:${PN}-daemon = "-r -g kryos -G gpio,i2c,spi -d ${localstatedir}/lib/kryos -s /sbin/nologin kryos"
