#pragma once

#include <node_api.h>

#include "../core/trainer.h"

namespace eigenae::addon {

TrainerSpec toSpec(napi_env env, napi_value spec);
Noise toNoise(napi_env env, napi_value noise);
State toState(napi_env env, napi_value state);
napi_value fromState(napi_env env, const State& state);
napi_value fromLosses(napi_env env, const Losses& losses);

}  // namespace eigenae::addon
