/*
 * Flash, by the labels of partitions.csv.
 *
 * esp_partition_find_first, _read, _write, _erase_range: 5.1 to 6.x.
 */
#include "board.h"
#include "esp_partition.h"
#include "sdkconfig.h"

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
static struct tb_flash flash_of(const esp_partition_t *p) {
	return (struct tb_flash){(void *)p, p != NULL ? p->size : 0, flash_read, flash_write, flash_erase};
}

struct tb_flash flash_slot(void) {
	return flash_of(esp_partition_find_first(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_OTA_0, NULL));
}

struct tb_flash flash_store(void) {
	struct tb_flash store = flash_of(esp_partition_find_first(ESP_PARTITION_TYPE_ANY, ESP_PARTITION_SUBTYPE_ANY,
	                                                          CONFIG_TCPBOOT_STATE_PARTITION));

	if (store.size < TB_STORE_SIZE)
		store.size = 0;
	return store;
}
