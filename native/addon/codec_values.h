// The numbers of core/codec.h as JavaScript values.
#pragma once

#include <node_api.h>

#include <vector>

#include "../core/codec.h"
#include "values.h"

namespace eigenae::addon {

TrainerSpec toSpec(napi_env env, napi_value numbers);
Noise toNoise(const Argument& noise);
// The numbers of the steps of a call, for a trainer of `terms` eigen losses.
struct StepValueArrays {
  std::vector<double> learningRates, weights;

  StepValues values() const { return {learningRates.data(), weights.data()}; }
};
StepValueArrays toStepValues(const Argument& values, std::size_t steps, std::size_t terms);
State toState(const Argument& step, const Argument& numbers, const StateSizes& sizes);
napi_value fromState(napi_env env, const State& state, const StateSizes& sizes);

}  // namespace eigenae::addon
