#include "spec.h"

#include <algorithm>
#include <stdexcept>

#include "../eigen_losses/eigen_losses.h"

namespace eigenae::addon {

namespace {

constexpr std::int64_t maximalWord = 0xffffffff;
// A config has narrower bounds. These ensure that no size overflows its type in the core.
constexpr std::int64_t maximalWidth = 1 << 16, maximalBatch = 1 << 16, maximalActivations = 1 << 30;
constexpr std::int64_t maximalThreads = 1 << 12;
constexpr std::uint32_t maximalWidths = 1 << 16, maximalEigenLosses = 64, maximalParameters = 64;
constexpr std::int64_t maximalParameter = 1'000'000'000;

std::uint32_t word(const Argument& argument) { return static_cast<std::uint32_t>(argument.integer(0, maximalWord)); }

BatchNorm toBatchNorm(const Argument& argument) {
  const std::string name = argument.text();
  if (name == "none") return BatchNorm::none;
  if (name == "encoder") return BatchNorm::encoder;
  if (name != "all") argument.refuseValue("\"none\", \"encoder\" or \"all\"");
  return BatchNorm::all;
}

// Evaluates the eigen loss once, as the core does when a trainer is created, to report an unknown kind or a missing
// parameter by its name.
void requireParameters(const Argument& argument, const EigenLossSpec& eigenLoss) {
  const double one = 1;
  double derivative;
  try {
    findEigenLoss(eigenLoss.kind)(&one, 1, eigenLoss.parameters, &derivative);
  } catch (const std::invalid_argument&) {
    argument.property("kind").refuseValue("a known eigen loss: unknown eigen loss kind \"" + eigenLoss.kind + "\"");
  } catch (const std::out_of_range&) {
    argument.property("parameters").refuseValue("complete for the eigen loss \"" + eigenLoss.kind + "\"");
  }
}

EigenLossSpec toEigenLoss(const Argument& argument) {
  EigenLossSpec eigenLoss;
  eigenLoss.kind = argument.property("kind").text();
  eigenLoss.weight = argument.property("weight").number();
  eigenLoss.center = argument.property("center").boolean();
  const Argument parameters = argument.property("parameters");
  for (const std::string& key : parameters.keys(maximalParameters)) {
    const Argument parameter = parameters.property(key);
    const double value = parameter.number();
    if (value < -maximalParameter || value > maximalParameter) parameter.refuseValue("within ±1e9");
    eigenLoss.parameters[key] = value;
  }
  requireParameters(argument, eigenLoss);
  return eigenLoss;
}

AdamSpec toAdam(const Argument& adam) {
  return {.learningRate = adam.property("learningRate").number(),
          .beta1 = adam.property("beta1").number(),
          .beta2 = adam.property("beta2").number(),
          .epsilon = adam.property("epsilon").number()};
}

}  // namespace

TrainerSpec toSpec(const Argument& argument) {
  TrainerSpec spec;
  for (const Argument& width : argument.property("widths").elements(2, maximalWidths)) {
    spec.widths.push_back(static_cast<int>(width.integer(1, maximalWidth)));
  }
  spec.batchNorm = toBatchNorm(argument.property("batchNorm"));
  for (const Argument& eigenLoss : argument.property("eigenLosses").elements(0, maximalEigenLosses)) {
    spec.eigenLosses.push_back(toEigenLoss(eigenLoss));
  }
  spec.adam = toAdam(argument.property("adam"));
  const std::int64_t widest = *std::max_element(spec.widths.begin(), spec.widths.end());
  spec.batchSize =
      static_cast<int>(argument.property("batchSize").integer(1, std::min(maximalBatch, maximalActivations / widest)));
  spec.seed = word(argument.property("seed"));
  spec.noise = argument.property("noise").singleNumber();
  spec.threads = static_cast<int>(argument.property("threads").integer(1, maximalThreads));
  return spec;
}

Noise toNoise(const Argument& noise) {
  return {.seed = word(noise.property("seed")),
          .purpose = word(noise.property("purpose")),
          .epoch = word(noise.property("epoch")),
          .deviation = noise.property("deviation").singleNumber()};
}

State toState(const Argument& argument) {
  State state;
  state.step = argument.property("step").integer(0, 1LL << 53);
  state.parameters = argument.property("parameters").floats();
  state.firstMoments = argument.property("firstMoments").floats();
  state.secondMoments = argument.property("secondMoments").floats();
  state.runningStatistics = argument.property("runningStatistics").floats();
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
  setProperty(env, value, "loss", fromDouble(env, losses.loss()));
  setProperty(env, value, "squaredError", fromDouble(env, losses.squaredError));
  setProperty(env, value, "eigenLoss", fromDouble(env, losses.eigenLoss));
  setProperty(env, value, "images", fromDouble(env, static_cast<double>(losses.images)));
  setProperty(env, value, "eigenLossImages", fromDouble(env, static_cast<double>(losses.eigenLossImages)));
  return value;
}

}  // namespace eigenae::addon
