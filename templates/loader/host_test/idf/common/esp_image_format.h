#pragma once
#include "esp_err.h"
typedef struct { uint32_t offset, size; } esp_partition_pos_t;
typedef struct { uint32_t start_addr, image_len; uint8_t image_digest[32]; } esp_image_metadata_t;
typedef enum { ESP_IMAGE_VERIFY, ESP_IMAGE_VERIFY_SILENT } esp_image_load_mode_t;
esp_err_t esp_image_verify(esp_image_load_mode_t mode, const esp_partition_pos_t *partition, esp_image_metadata_t *found);
