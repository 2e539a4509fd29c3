/* Flash, by the partitions of partitions.csv. */
#include "board.h"
#include "esp_partition.h"
#include "sdkconfig.h"
#include "tcpboot_chip.h"

struct tb_flash flash_slot(void) {
	return chip_flash(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_OTA_0, NULL);
}

struct tb_flash flash_store(void) {
	struct tb_flash store =
		chip_flash(ESP_PARTITION_TYPE_ANY, ESP_PARTITION_SUBTYPE_ANY, CONFIG_TCPBOOT_STATE_PARTITION);

	if (store.size < TB_STORE_SIZE)
		store.size = 0;
	return store;
}
