/* What esp_eth.h has in all versions; each adds its MACs and PHYs. */
#pragma once
#include "esp_event.h"
typedef struct esp_eth_mac_s esp_eth_mac_t;
typedef struct esp_eth_phy_s esp_eth_phy_t;
typedef void *esp_eth_handle_t;
typedef struct { uint32_t sw_reset_timeout_ms, rx_task_stack_size; } eth_mac_config_t;
typedef struct { int32_t phy_addr; uint32_t reset_timeout_ms, autonego_timeout_ms; int reset_gpio_num; } eth_phy_config_t;
typedef struct { esp_eth_mac_t *mac; esp_eth_phy_t *phy; } esp_eth_config_t;
typedef struct { int unused; } eth_esp32_emac_config_t;
#define ETH_MAC_DEFAULT_CONFIG() {0}
#define ETH_PHY_DEFAULT_CONFIG() {0}
#define ETH_ESP32_EMAC_DEFAULT_CONFIG() {0}
#define ETH_DEFAULT_CONFIG(emac, ephy) {emac, ephy}
extern const char *const ETH_EVENT;
enum { ETHERNET_EVENT_DISCONNECTED = 3 };
esp_err_t esp_eth_driver_install(const esp_eth_config_t *config, esp_eth_handle_t *handle);
esp_err_t esp_eth_start(esp_eth_handle_t handle);
void *esp_eth_new_netif_glue(esp_eth_handle_t handle);
#if CONFIG_ETH_USE_ESP32_EMAC
esp_eth_mac_t *esp_eth_mac_new_esp32(const eth_esp32_emac_config_t *own, const eth_mac_config_t *config);
#endif
#if CONFIG_ETH_USE_OPENETH
esp_eth_mac_t *esp_eth_mac_new_openeth(const eth_mac_config_t *config);
#endif
