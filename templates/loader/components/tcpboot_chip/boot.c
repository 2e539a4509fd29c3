/*
 * What the chip's bootloader takes, and its record in the partition otadata.
 *
 * esp_image_verify checks an image's structure and hash and, because sdkconfig asks
 * for signed updates, its signature: 5.1 to 6.x.
 */
#include "esp_image_format.h"
#include "esp_partition.h"
#include "tcpboot_chip.h"

enum tb_result chip_check(int subtype) {
	const esp_partition_t *p =
		esp_partition_find_first(ESP_PARTITION_TYPE_APP, (esp_partition_subtype_t)subtype, NULL);
	esp_image_metadata_t found;

	if (p == NULL)
		return TB_BAD_IMAGE;
	return esp_image_verify(ESP_IMAGE_VERIFY, &(esp_partition_pos_t){p->address, p->size}, &found) == ESP_OK
	               ? TB_OK : TB_BAD_IMAGE;
}

/* A record is 32 bytes at the start of each of two sectors; erased is no record. */
static bool is_blank(const struct tb_flash *otadata) {
	uint8_t record[32];

	for (uint32_t sector = 0; sector < 2; sector++) {
		if (!otadata->read(otadata->context, sector * TB_SECTOR, record, sizeof record))
			return false;
		for (size_t i = 0; i < sizeof record; i++)
			if (record[i] != 0xff)
				return false;
	}
	return true;
}

/*
 * Without a record the bootloader starts factory. esp_ota_set_boot_partition would
 * first check the loader by the key of whoever runs, and fail where they differ.
 */
enum tb_result chip_forget(void) {
	struct tb_flash otadata = chip_flash(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);

	if (otadata.size == 0)
		return TB_FLASH;
	if (is_blank(&otadata))
		return TB_OK;
	return otadata.erase(otadata.context, 0, otadata.size) ? TB_OK : TB_FLASH;
}
