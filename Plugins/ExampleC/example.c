#include "fovea_plugin.h"
