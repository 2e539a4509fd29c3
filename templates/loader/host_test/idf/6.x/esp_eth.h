#pragma once
#include "esp_eth_base.h"
esp_eth_phy_t *esp_eth_phy_new_generic(const eth_phy_config_t *config);
