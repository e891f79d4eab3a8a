################################################################################
#
# libkryos
#
################################################################################

LIBKRYOS_VERSION = 0.1.0
LIBKRYOS_SITE = $(BR2_EXTERNAL_KRYOS_PATH)/../..
LIBKRYOS_SITE_METHOD = local
LIBKRYOS_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude=/build
LIBKRYOS_LICENSE = Apache-2.0
LIBKRYOS_LICENSE_FILES = LICENSE
LIBKRYOS_INSTALL_STAGING = YES
LIBKRYOS_SUPPORTS_IN_SOURCE_BUILD = NO
LIBKRYOS_DEPENDENCIES = host-pkgconf sqlite

LIBKRYOS_DEPENDENCIES += \
	$(if $(BR2_PACKAGE_LIBKRYOS_WITH_INIH),inih) \
	$(if $(BR2_PACKAGE_LIBKRYOS_WITH_CJSON),cjson) \
	$(if $(BR2_PACKAGE_LIBKRYOS_WITH_CRYPTO),openssl) \
	$(if $(BR2_PACKAGE_LIBKRYOS_WITH_REPORT),cairo) \
	$(if $(BR2_PACKAGE_LIBKRYOS_BUS_I2C_DEV),i2c-tools) \
	$(if $(BR2_PACKAGE_LIBKRYOS_TRANSPORT_PAHO),paho-mqtt-c)

# libgpiod is the API of 1.6, libgpiod2 that of 2.x; libkryos builds with both.
ifeq ($(BR2_PACKAGE_LIBKRYOS_BUS_GPIOD),y)
LIBKRYOS_DEPENDENCIES += $(if $(BR2_PACKAGE_LIBGPIOD2),libgpiod2,libgpiod)
endif

# Each is the CMake option KRYOS_<name>, and the symbol BR2_PACKAGE_LIBKRYOS_<name>.
LIBKRYOS_OPTIONS = \
	WITH_INIH \
	WITH_CJSON \
	WITH_CRYPTO \
	WITH_REPORT \
	BUILD_DAEMON \
	BUILD_TESTING_LIBRARY \
	DAEMON_SIMULATE \
	BUS_GPIOD \
	BUS_I2C_DEV \
	BUS_SPIDEV \
	BUS_SYSFS \
	BUS_W1_SYSFS \
	TRANSPORT_PAHO \
	CODEC_SENML \
	SENSOR_ADS1115 \
	SENSOR_ADT7420 \
	SENSOR_BME280 \
	SENSOR_BMP280 \
	SENSOR_BUTTON \
	SENSOR_DOOR \
	SENSOR_DS18B20 \
	SENSOR_HWMON \
	SENSOR_IIO \
	SENSOR_INA226 \
	SENSOR_MAINS \
	SENSOR_MAX31856 \
	SENSOR_MAX31865 \
	SENSOR_MCP9808 \
	SENSOR_POWER_SUPPLY \
	SENSOR_SHT3X \
	SENSOR_SHT4X \
	SENSOR_STS3X \
	SENSOR_THERMAL \
	SENSOR_TMP117 \
	RTC_DS3231 \
	RTC_NODE \
	WATCHDOG_WDT \
	WATCHDOG_SYSTEMD \
	WATCHDOG_NONE

LIBKRYOS_CONF_OPTS = $(foreach option,$(LIBKRYOS_OPTIONS), \
	-DKRYOS_$(option)=$(if $(BR2_PACKAGE_LIBKRYOS_$(option)),ON,OFF))

# What the kernel must have for the buses that are on. I2C's and SPI's nodes
# have no alias by which a module would be loaded, so they are built in.
define LIBKRYOS_LINUX_CONFIG_FIXUPS
	$(if $(BR2_PACKAGE_LIBKRYOS_BUS_I2C_DEV),
		$(call KCONFIG_ENABLE_OPT,CONFIG_I2C_CHARDEV))
	$(if $(BR2_PACKAGE_LIBKRYOS_BUS_SPIDEV),
		$(call KCONFIG_ENABLE_OPT,CONFIG_SPI_SPIDEV))
	$(if $(BR2_PACKAGE_LIBKRYOS_BUS_GPIOD),
		$(call KCONFIG_ENABLE_OPT,CONFIG_GPIO_CDEV))
	$(if $(BR2_PACKAGE_LIBKRYOS_BUS_W1_SYSFS),
		$(call KCONFIG_ENABLE_OPT,CONFIG_W1)
		$(call KCONFIG_ENABLE_OPT,CONFIG_W1_SLAVE_THERM))
	$(if $(BR2_PACKAGE_LIBKRYOS_WATCHDOG_WDT),
		$(call KCONFIG_ENABLE_OPT,CONFIG_WATCHDOG))
endef

ifeq ($(BR2_PACKAGE_LIBKRYOS_BUILD_DAEMON),y)
define LIBKRYOS_USERS
	kryos -1 kryos -1 * /var/lib/kryos - gpio,i2c,spi Kryos daemon
endef

define LIBKRYOS_PERMISSIONS
	/etc/kryos d 0750 root kryos - - - - -
	/var/lib/kryos d 0750 kryos kryos - - - - -
endef

define LIBKRYOS_INSTALL_STATION_FILE
	$(INSTALL) -d $(TARGET_DIR)/var/lib/kryos
	$(INSTALL) -D -m 0644 $(@D)/examples/station/station.ini \
		$(TARGET_DIR)/etc/kryos/station.ini
endef
LIBKRYOS_POST_INSTALL_TARGET_HOOKS += LIBKRYOS_INSTALL_STATION_FILE

# udev of systemd or eudev; mdev has a file for all packages (see board/).
ifeq ($(BR2_PACKAGE_HAS_UDEV),y)
define LIBKRYOS_INSTALL_UDEV_RULES
	$(INSTALL) -D -m 0644 $(@D)/examples/cryo_daemon/60-kryos.rules \
		$(TARGET_DIR)/lib/udev/rules.d/60-kryos.rules
endef
LIBKRYOS_POST_INSTALL_TARGET_HOOKS += LIBKRYOS_INSTALL_UDEV_RULES
endif

define LIBKRYOS_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(LIBKRYOS_PKGDIR)/S60cryo_daemon \
		$(TARGET_DIR)/etc/init.d/S60cryo_daemon
endef

define LIBKRYOS_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/examples/cryo_daemon/cryo_daemon.service \
		$(TARGET_DIR)/usr/lib/systemd/system/cryo_daemon.service
endef
endif

# What append() calls durable would be a lie. (Kconfig cannot say so: a symbol
# that selects SQLite cannot depend on an option of it.)
ifeq ($(BR2_PACKAGE_LIBKRYOS)$(BR2_PACKAGE_SQLITE_NO_SYNC)$(BR_BUILDING),yyy)
$(error libkryos needs a SQLite that syncs: BR2_PACKAGE_SQLITE_NO_SYNC is set)
endif

$(eval $(cmake-package))
