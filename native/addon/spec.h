#pragma once

#include <node_api.h>

#include <vector>

#include "../core/trainer.h"
#include "values.h"

namespace eigenae::addon {

TrainerSpec toSpec(const Argument& spec);
Noise toNoise(const Argument& noise);
// The numbers of the steps of a call, for a trainer of `terms` eigen losses.
struct StepValueArrays {
  std::vector<double> learningRates, weights;

  StepValues values() const { return {learningRates.data(), weights.data()}; }
};
StepValueArrays toStepValues(const Argument& values, std::size_t steps, std::size_t terms);
State toState(const Argument& state);
// The lengths of a state's arrays.
struct StateSizes {
  std::size_t parameters, statistics;
  bool averaged;
};
// Reports an array of another length by its name.
void requireSizes(const Argument& argument, const State& state, const StateSizes& sizes);
napi_value fromState(napi_env env, const State& state);
napi_value fromLosses(napi_env env, const Losses& losses);

}  // namespace eigenae::addon
