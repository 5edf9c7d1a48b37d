#pragma once

#include <node_api.h>

#include "../core/trainer.h"
#include "values.h"

namespace eigenae::addon {

TrainerSpec toSpec(const Argument& spec);
Noise toNoise(const Argument& noise);
State toState(const Argument& state);
napi_value fromState(napi_env env, const State& state);
napi_value fromLosses(napi_env env, const Losses& losses);

}  // namespace eigenae::addon
