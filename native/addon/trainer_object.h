#pragma once

#include <node_api.h>

namespace eigenae::addon {

// createTrainer(spec, images): the object that src/engines/core-trainer.ts calls CoreTrainer.
napi_value createTrainerObject(napi_env env, napi_value spec, napi_value images);

}  // namespace eigenae::addon
