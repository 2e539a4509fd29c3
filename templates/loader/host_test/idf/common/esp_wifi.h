#pragma once
#include "esp_event.h"
#include "esp_netif.h"
typedef struct { int unused; } wifi_init_config_t;
#define WIFI_INIT_CONFIG_DEFAULT() {0}
typedef enum { WIFI_AUTH_OPEN = 0, WIFI_AUTH_WPA2_ENTERPRISE = 5 } wifi_auth_mode_t;
typedef enum { WIFI_REASON_ASSOC_LEAVE = 8 } wifi_err_reason_t;
typedef enum { WIFI_MODE_STA = 1 } wifi_mode_t;
typedef enum { WIFI_IF_STA } wifi_interface_t;
typedef enum { WIFI_STORAGE_FLASH, WIFI_STORAGE_RAM } wifi_storage_t;
typedef struct {
	uint8_t ssid[32];
	uint8_t password[64];
	struct { int8_t rssi; wifi_auth_mode_t authmode; } threshold;
	struct { bool required; } pmf_cfg;
} wifi_sta_config_t;
typedef union { wifi_sta_config_t sta; } wifi_config_t;
typedef struct { uint8_t ssid[32], ssid_len, bssid[6], reason; } wifi_event_sta_disconnected_t;
extern const char *const WIFI_EVENT;
enum { WIFI_EVENT_STA_DISCONNECTED = 5 };
esp_netif_t *esp_netif_create_default_wifi_sta(void);
esp_err_t esp_wifi_init(const wifi_init_config_t *config);
esp_err_t esp_wifi_set_storage(wifi_storage_t storage);
esp_err_t esp_wifi_set_mode(wifi_mode_t mode);
esp_err_t esp_wifi_set_config(wifi_interface_t interface, wifi_config_t *config);
esp_err_t esp_wifi_start(void);
esp_err_t esp_wifi_connect(void);
esp_err_t esp_wifi_disconnect(void);
