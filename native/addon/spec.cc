#include "spec.h"

#include <algorithm>
#include <stdexcept>

#include "../formulas/tape.h"

namespace eigenae::addon {

namespace {

constexpr std::int64_t maximalWord = 0xffffffff;
// A config has narrower bounds. These ensure that no size overflows its type in the core.
constexpr std::int64_t maximalWidth = 1 << 16, maximalBatch = 1 << 16, maximalActivations = 1 << 30;
constexpr std::int64_t maximalThreads = 1 << 12, maximalMinimum = 1 << 17;
constexpr std::uint32_t maximalWidths = 1 << 16, maximalEigenLosses = 64;

std::uint32_t word(const Argument& argument) { return static_cast<std::uint32_t>(argument.integer(0, maximalWord)); }

Activation toActivation(const Argument& argument) {
  const std::string name = argument.text();
  if (name == "relu") return Activation::relu;
  if (name == "leaky-relu") return Activation::leakyRelu;
  if (name != "silu") argument.refuseValue("\"relu\", \"leaky-relu\" or \"silu\"");
  return Activation::silu;
}

double within(const Argument& argument, double min, double max, const char* expected) {
  const double value = argument.number();
  if (value < min || value > max) argument.refuseValue(expected);
  return value;
}

Tape toTape(const Argument& argument, int width) {
  const std::vector<std::uint32_t> words = argument.property("words").words();
  const std::vector<double> constants = argument.property("constants").doubles();
  try {
    return decodeTape(words.data(), words.size(), constants.data(), constants.size(), width);
  } catch (const std::invalid_argument&) {
    argument.refuseValue("a formula of " + std::to_string(width) + " units");
  }
}

// widths: of the layers of the network but the output
EigenLossSpec toEigenLoss(const Argument& argument, const std::vector<int>& widths) {
  EigenLossSpec eigenLoss;
  eigenLoss.center = argument.property("center").boolean();
  const auto layerCount = static_cast<std::uint32_t>(widths.size());
  for (const Argument& layer : argument.property("layers").elements(1, layerCount)) {
    const int position = static_cast<int>(layer.integer(0, layerCount - 1));
    if (!eigenLoss.layers.empty() && position <= eigenLoss.layers.back()) layer.refuseValue("above the one before");
    eigenLoss.layers.push_back(position);
  }
  const auto count = static_cast<std::uint32_t>(eigenLoss.layers.size());
  for (const Argument& tape : argument.property("tapes").elements(count, count)) {
    eigenLoss.formulas.push_back(toTape(tape, widths[eigenLoss.layers[eigenLoss.formulas.size()]]));
  }
  eigenLoss.minimumImages = static_cast<int>(argument.property("minimumImages").integer(1, maximalMinimum));
  return eigenLoss;
}

std::variant<AdamSpec, SgdSpec> toOptimizer(const Argument& optimizer) {
  const Argument kind = optimizer.property("kind");
  const std::string name = kind.text();
  if (name == "sgd") {
    return SgdSpec{.momentum = optimizer.property("momentum").number(),
                   .nesterov = optimizer.property("nesterov").boolean()};
  }
  if (name != "adam") kind.refuseValue("\"adam\" or \"sgd\"");
  return AdamSpec{.beta1 = optimizer.property("beta1").number(),
                  .beta2 = optimizer.property("beta2").number(),
                  .epsilon = optimizer.property("epsilon").number(),
                  .weightDecay = optimizer.property("weightDecay").number()};
}

}  // namespace

TrainerSpec toSpec(const Argument& argument) {
  TrainerSpec spec;
  for (const Argument& width : argument.property("widths").elements(2, maximalWidths)) {
    spec.widths.push_back(static_cast<int>(width.integer(1, maximalWidth)));
  }
  const auto layerCount = static_cast<std::uint32_t>(2 * spec.widths.size() - 3);
  for (const Argument& layer : argument.property("batchNorm").elements(layerCount, layerCount)) {
    spec.batchNorm.push_back(layer.boolean());
  }
  spec.activation.kind = toActivation(argument.property("activation"));
  spec.activation.slope = static_cast<float>(within(argument.property("slope"), 0, 1, "from 0 to 1"));
  std::vector<int> innerWidths(spec.widths.begin() + 1, spec.widths.end());
  innerWidths.insert(innerWidths.end(), spec.widths.rbegin() + 1, spec.widths.rend() - 1);
  for (const Argument& eigenLoss : argument.property("eigenLosses").elements(0, maximalEigenLosses)) {
    spec.eigenLosses.push_back(toEigenLoss(eigenLoss, innerWidths));
  }
  spec.optimizer = toOptimizer(argument.property("optimizer"));
  if (const Argument averaging = argument.property("averaging"); !averaging.isNull()) {
    spec.averaging = within(averaging, 0, 1, "from 0 to 1");
  }
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

StepValueArrays toStepValues(const Argument& values, std::size_t steps, std::size_t terms) {
  return {values.property("learningRates").doubles(steps), values.property("weights").doubles(steps * terms)};
}

State toState(const Argument& argument) {
  State state;
  state.step = argument.property("step").integer(0, 1LL << 53);
  state.parameters = argument.property("parameters").floats();
  state.firstMoments = argument.property("firstMoments").floats();
  state.secondMoments = argument.property("secondMoments").floats();
  state.runningStatistics = argument.property("runningStatistics").floats();
  state.averagedParameters = argument.property("averagedParameters").floats();
  state.averagedStatistics = argument.property("averagedStatistics").floats();
  return state;
}

void requireSizes(const Argument& argument, const State& state, const StateSizes& sizes) {
  const auto require = [&](const char* name, const std::vector<float>& values, std::size_t length) {
    if (values.size() != length)
      argument.renamed(name).refuseValue("an array of " + std::to_string(length) + " numbers");
  };
  require("parameters", state.parameters, sizes.parameters);
  require("firstMoments", state.firstMoments, sizes.parameters);
  require("secondMoments", state.secondMoments, sizes.parameters);
  require("runningStatistics", state.runningStatistics, sizes.statistics);
  require("averagedParameters", state.averagedParameters, sizes.averaged ? sizes.parameters : 0);
  require("averagedStatistics", state.averagedStatistics, sizes.averaged ? sizes.statistics : 0);
}

napi_value fromState(napi_env env, const State& state) {
  const napi_value value = newObject(env);
  setProperty(env, value, "step", fromDouble(env, static_cast<double>(state.step)));
  setProperty(env, value, "parameters", fromFloats(env, state.parameters));
  setProperty(env, value, "firstMoments", fromFloats(env, state.firstMoments));
  setProperty(env, value, "secondMoments", fromFloats(env, state.secondMoments));
  setProperty(env, value, "runningStatistics", fromFloats(env, state.runningStatistics));
  setProperty(env, value, "averagedParameters", fromFloats(env, state.averagedParameters));
  setProperty(env, value, "averagedStatistics", fromFloats(env, state.averagedStatistics));
  return value;
}

napi_value fromLosses(napi_env env, const Losses& losses) {
  napi_value terms;
  check(env, napi_create_array_with_length(env, losses.terms.size(), &terms));
  for (std::size_t i = 0; i < losses.terms.size(); ++i) {
    const napi_value term = newObject(env);
    setProperty(env, term, "value", fromDouble(env, losses.terms[i].value));
    setProperty(env, term, "weighted", fromDouble(env, losses.terms[i].weighted));
    setProperty(env, term, "images", fromDouble(env, static_cast<double>(losses.terms[i].images)));
    check(env, napi_set_element(env, terms, static_cast<std::uint32_t>(i), term));
  }
  const napi_value value = newObject(env);
  setProperty(env, value, "loss", fromDouble(env, losses.loss()));
  setProperty(env, value, "squaredError", fromDouble(env, losses.squaredError));
  setProperty(env, value, "images", fromDouble(env, static_cast<double>(losses.images)));
  setProperty(env, value, "terms", terms);
  return value;
}

}  // namespace eigenae::addon
