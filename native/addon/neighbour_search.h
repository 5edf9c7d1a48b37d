#pragma once

#include <node_api.h>

namespace eigenae::addon {

// Starts a search: findNeighbours in src/engines/native/binding.ts.
napi_value startNeighbours(napi_env env, napi_value search);

}  // namespace eigenae::addon
