/*
 * The orders to the chip's bootloader: the record in the partition otadata.
 *
 * esp_image_verify checks the image's structure and hash and, because sdkconfig
 * asks for signed updates, its signature; esp_ota_set_boot_partition does that
 * again before it writes. Both exist in 5.1 to 6.x.
 */
#include "board.h"
#include "esp_image_format.h"
#include "esp_ota_ops.h"
#include "esp_partition.h"

static const esp_partition_t *slot(void) {
	return esp_partition_find_first(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_OTA_0, NULL);
}

static enum tb_result check(void *context) {
	const esp_partition_t *p = slot();
	esp_image_metadata_t found;

	(void)context;
	if (p == NULL)
		return TB_BAD_IMAGE;
	return esp_image_verify(ESP_IMAGE_VERIFY, &(esp_partition_pos_t){p->address, p->size}, &found) == ESP_OK
	               ? TB_OK : TB_BAD_IMAGE;
}

static enum tb_result activate(void *context) {
	const esp_partition_t *p = slot();

	(void)context;
	switch (p != NULL ? esp_ota_set_boot_partition(p) : ESP_ERR_OTA_VALIDATE_FAILED) {
	case ESP_OK:
		return TB_OK;
	case ESP_ERR_OTA_VALIDATE_FAILED:
		return TB_BAD_IMAGE;
	default:
		return TB_FLASH;
	}
}

/* A record is 32 bytes at the start of each of two sectors; erased is no record. */
static bool is_blank(const esp_partition_t *otadata) {
	uint8_t record[32];

	for (uint32_t sector = 0; sector < 2; sector++) {
		if (esp_partition_read(otadata, sector * TB_SECTOR, record, sizeof record) != ESP_OK)
			return false;
		for (size_t i = 0; i < sizeof record; i++)
			if (record[i] != 0xff)
				return false;
	}
	return true;
}

/*
 * Without a record the bootloader starts factory. esp_ota_set_boot_partition would
 * first check the loader by the key of whoever runs, and fail when they differ.
 */
static enum tb_result deactivate(void *context) {
	const esp_partition_t *otadata =
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);

	(void)context;
	if (otadata == NULL)
		return TB_FLASH;
	if (is_blank(otadata))
		return TB_OK;
	return esp_partition_erase_range(otadata, 0, otadata->size) == ESP_OK ? TB_OK : TB_FLASH;
}

struct tb_boot boot_orders(void) {
	return (struct tb_boot){NULL, check, activate, deactivate};
}
