/*
 * Partitions of flash.
 *
 * esp_partition_find_first, _read, _write, _erase_range: 5.1 to 6.x.
 */
#include "esp_partition.h"
#include "tcpboot_chip.h"

static bool flash_read(void *context, uint32_t offset, void *to, size_t size) {
	return esp_partition_read(context, offset, to, size) == ESP_OK;
}

static bool flash_write(void *context, uint32_t offset, const void *from, size_t size) {
	return esp_partition_write(context, offset, from, size) == ESP_OK;
}

static bool flash_erase(void *context, uint32_t offset, size_t size) {
	return esp_partition_erase_range(context, offset, size) == ESP_OK;
}

/* ESP-IDF hands partitions out as const; the functions above change none. */
struct tb_flash chip_flash(int type, int subtype, const char *label) {
	const esp_partition_t *p =
		esp_partition_find_first((esp_partition_type_t)type, (esp_partition_subtype_t)subtype, label);

	return (struct tb_flash){(void *)p, p != NULL ? p->size : 0, flash_read, flash_write, flash_erase};
}
