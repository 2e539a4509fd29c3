/*
 * The orders to the chip's bootloader.
 *
 * esp_ota_set_boot_partition checks the image, signature included, before it writes:
 * 5.1 to 6.x.
 */
#include "board.h"
#include "esp_ota_ops.h"
#include "tcpboot_chip.h"

static enum tb_result check(void *context) {
	(void)context;
	return chip_check(ESP_PARTITION_SUBTYPE_APP_OTA_0);
}

static enum tb_result activate(void *context) {
	const esp_partition_t *slot =
		esp_partition_find_first(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_OTA_0, NULL);

	(void)context;
	if (slot == NULL)
		return TB_BAD_IMAGE;
	switch (esp_ota_set_boot_partition(slot)) {
	case ESP_OK:
		return TB_OK;
	case ESP_ERR_OTA_VALIDATE_FAILED:
		return TB_BAD_IMAGE;
	default:
		return TB_FLASH;
	}
}

static enum tb_result deactivate(void *context) {
	(void)context;
	return chip_forget();
}

struct tb_boot boot_orders(void) {
	return (struct tb_boot){NULL, check, activate, deactivate};
}
