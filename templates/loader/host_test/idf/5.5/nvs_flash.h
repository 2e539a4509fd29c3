#pragma once
#include "nvs_flash_base.h"
typedef struct {
	int scheme_id;
	void *scheme_data;
	esp_err_t (*nvs_flash_key_gen)(const void *data, nvs_sec_cfg_t *keys);
	esp_err_t (*nvs_flash_read_cfg)(const void *data, nvs_sec_cfg_t *keys);
} nvs_sec_scheme_t;
esp_err_t nvs_flash_read_security_cfg_v2(nvs_sec_scheme_t *scheme, nvs_sec_cfg_t *keys);
