/* For chips that can derive keys; on others ESP-IDF declares nothing of this. */
#pragma once
#include "nvs_flash.h"
#include "sdkconfig.h"
typedef enum { HMAC_KEY0, HMAC_KEY1, HMAC_KEY2, HMAC_KEY3, HMAC_KEY4, HMAC_KEY5, HMAC_KEY_MAX } hmac_key_id_t;
typedef struct { hmac_key_id_t hmac_key_id; } nvs_sec_config_hmac_t;
#define NVS_SEC_PROVIDER_CFG_HMAC_DEFAULT() { .hmac_key_id = (hmac_key_id_t)(CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID), }
esp_err_t nvs_sec_provider_register_hmac(const nvs_sec_config_hmac_t *config, nvs_sec_scheme_t **scheme);
