#pragma once
#include "esp_eth_base.h"
/* All are declared always; these are the ones that are built. */
esp_eth_phy_t *esp_eth_phy_new_dp83848(const eth_phy_config_t *config);
#if CONFIG_ETH_USE_ESP32_EMAC
esp_eth_phy_t *esp_eth_phy_new_lan87xx(const eth_phy_config_t *config);
esp_eth_phy_t *esp_eth_phy_new_generic(const eth_phy_config_t *config);
#endif
