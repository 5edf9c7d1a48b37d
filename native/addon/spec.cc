#include "spec.h"

#include "values.h"

namespace eigenae::addon {

namespace {

double number(napi_env env, napi_value object, const char* name) {
  return toDouble(env, property(env, object, name));
}

std::uint32_t word(napi_env env, napi_value object, const char* name) {
  return static_cast<std::uint32_t>(number(env, object, name));
}

BatchNorm toBatchNorm(const std::string& name) {
  if (name == "encoder") return BatchNorm::encoder;
  return name == "all" ? BatchNorm::all : BatchNorm::none;
}

PenaltySpec toPenalty(napi_env env, napi_value value) {
  PenaltySpec penalty;
  penalty.kind = toString(env, property(env, value, "kind"));
  penalty.weight = number(env, value, "weight");
  penalty.center = toBool(env, property(env, value, "center"));
  const napi_value parameters = property(env, value, "parameters");
  for (const std::string& name : propertyNames(env, parameters)) {
    penalty.parameters[name] = number(env, parameters, name.c_str());
  }
  return penalty;
}

AdamSpec toAdam(napi_env env, napi_value value) {
  return {number(env, value, "learningRate"), number(env, value, "beta1"), number(env, value, "beta2"),
          number(env, value, "epsilon")};
}

}  // namespace

TrainerSpec toSpec(napi_env env, napi_value value) {
  TrainerSpec spec;
  for (napi_value width : elements(env, property(env, value, "widths"))) {
    spec.widths.push_back(static_cast<int>(toDouble(env, width)));
  }
  spec.batchNorm = toBatchNorm(toString(env, property(env, value, "batchNorm")));
  for (napi_value penalty : elements(env, property(env, value, "penalties"))) {
    spec.penalties.push_back(toPenalty(env, penalty));
  }
  spec.adam = toAdam(env, property(env, value, "adam"));
  spec.batchSize = static_cast<int>(number(env, value, "batchSize"));
  spec.seed = word(env, value, "seed");
  spec.noise = static_cast<float>(number(env, value, "noise"));
  spec.threads = static_cast<int>(number(env, value, "threads"));
  return spec;
}

Noise toNoise(napi_env env, napi_value noise) {
  return {word(env, noise, "seed"), word(env, noise, "purpose"), word(env, noise, "epoch"),
          static_cast<float>(number(env, noise, "deviation"))};
}

State toState(napi_env env, napi_value value) {
  State state;
  state.step = static_cast<std::int64_t>(number(env, value, "step"));
  state.parameters = toFloats(env, property(env, value, "parameters"));
  state.firstMoments = toFloats(env, property(env, value, "firstMoments"));
  state.secondMoments = toFloats(env, property(env, value, "secondMoments"));
  state.runningStatistics = toFloats(env, property(env, value, "runningStatistics"));
  return state;
}

napi_value fromState(napi_env env, const State& state) {
  const napi_value value = newObject(env);
  setProperty(env, value, "step", fromDouble(env, static_cast<double>(state.step)));
  setProperty(env, value, "parameters", fromFloats(env, state.parameters));
  setProperty(env, value, "firstMoments", fromFloats(env, state.firstMoments));
  setProperty(env, value, "secondMoments", fromFloats(env, state.secondMoments));
  setProperty(env, value, "runningStatistics", fromFloats(env, state.runningStatistics));
  return value;
}

napi_value fromLosses(napi_env env, const Losses& losses) {
  const napi_value value = newObject(env);
  setProperty(env, value, "squaredError", fromDouble(env, losses.squaredError));
  setProperty(env, value, "penalty", fromDouble(env, losses.penalty));
  setProperty(env, value, "weighted", fromDouble(env, losses.weighted));
  setProperty(env, value, "images", fromDouble(env, static_cast<double>(losses.images)));
  setProperty(env, value, "penaltyImages", fromDouble(env, static_cast<double>(losses.penaltyImages)));
  return value;
}

}  // namespace eigenae::addon
