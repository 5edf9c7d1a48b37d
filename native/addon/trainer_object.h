#pragma once

#include <node_api.h>

namespace eigenae::addon {

// Creates the object that src/engines/core.ts declares as CoreTrainer.
napi_value createTrainerObject(napi_env env, napi_value spec, napi_value images);

}  // namespace eigenae::addon
