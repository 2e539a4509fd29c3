#pragma once
#include "nvs_flash_base.h"
