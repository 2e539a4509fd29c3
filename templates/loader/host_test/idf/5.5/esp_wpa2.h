/* The old names go on beside the new ones until 6.0. */
#pragma once
#include "esp_eap_client.h"
