// The measures of trained networks: CoreMeasures in src/engines/native/binding.ts. Each function starts a job and
// returns an object with the promise of its result and a function that stops it.
#pragma once

#include <node_api.h>

namespace eigenae::addon {

napi_value startNeighbours(napi_env env, napi_value search);
napi_value startProbe(napi_env env, napi_value probe);
napi_value startSingularValues(napi_env env, napi_value matrix);
napi_value startLayerMeasures(napi_env env, napi_value layer);

}  // namespace eigenae::addon
