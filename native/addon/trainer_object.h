#pragma once

#include <node_api.h>

namespace eigenae::addon {

// createTrainer(spec): the object that src/engines/core/core.ts describes as CoreTrainer.
napi_value createTrainerObject(napi_env env, napi_value spec);

}  // namespace eigenae::addon
