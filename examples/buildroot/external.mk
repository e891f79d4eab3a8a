include $(sort $(wildcard $(BR2_EXTERNAL_KRYOS_PATH)/package/*/*.mk))
