#pragma once

#include <node_api.h>

namespace eigenae::addon {

// Starts to measure a layer: measureLayer in src/engines/native/binding.ts.
napi_value startLayerMeasures(napi_env env, napi_value layer);

}  // namespace eigenae::addon
