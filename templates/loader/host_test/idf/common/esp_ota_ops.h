#pragma once
#include "esp_partition.h"
#define ESP_ERR_OTA_VALIDATE_FAILED 0x1503
esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition);
const esp_partition_t *esp_ota_get_running_partition(void);
esp_err_t esp_ota_mark_app_valid_cancel_rollback(void);
