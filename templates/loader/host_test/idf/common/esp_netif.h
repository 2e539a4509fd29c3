#pragma once
#include "esp_event.h"
typedef struct esp_netif_obj esp_netif_t;
typedef struct { const void *base, *driver, *stack; } esp_netif_config_t;
#define ESP_NETIF_DEFAULT_ETH() {0}
extern const char *const IP_EVENT;
enum { IP_EVENT_STA_GOT_IP, IP_EVENT_ETH_GOT_IP };
esp_err_t esp_netif_init(void);
esp_netif_t *esp_netif_new(const esp_netif_config_t *config);
esp_err_t esp_netif_attach(esp_netif_t *netif, void *driver);
