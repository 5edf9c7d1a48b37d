#include "codec_values.h"

#include "../core/random.h"

namespace eigenae::addon {

TrainerSpec toSpec(napi_env env, napi_value numbers) {
  const std::vector<double> spec = Argument(env, numbers, "spec").doubles();
  return decodeSpec(spec.data(), spec.size());
}

Noise toNoise(const Argument& noise) {
  return {.seed = static_cast<std::uint32_t>(noise.property("seed").integer(0, 0xffffffff)),
          .purpose = purpose::evaluationNoise,
          .epoch = 0,
          .deviation = static_cast<float>(noise.property("deviation").number())};
}

StepValueArrays toStepValues(const Argument& values, std::size_t steps, std::size_t terms) {
  return {values.property("learningRates").doubles(steps), values.property("weights").doubles(steps * terms)};
}

State toState(const Argument& step, const Argument& numbers, const StateSizes& sizes) {
  const std::vector<float> floats = numbers.floats();
  if (floats.size() != sizes.total()) numbers.refuseValue(std::to_string(sizes.total()) + " numbers");
  return decodeState(step.number(), floats.data(), sizes);
}

napi_value fromState(napi_env env, const State& state, const StateSizes& sizes) {
  float* numbers;
  const napi_value array = newFloat32Array(env, sizes.total(), &numbers);
  encodeState(state, sizes, numbers);
  return array;
}

}  // namespace eigenae::addon
