#include "optimizer_step.h"

#include <cmath>

namespace eigenae {

namespace {

OptimizerStep adamFactors(const AdamSpec& adam, std::int64_t step, double learningRate) {
  const double correction1 = 1 - std::pow(adam.beta1, static_cast<double>(step));
  const double rootCorrection2 = std::sqrt(1 - std::pow(adam.beta2, static_cast<double>(step)));
  return {.oneMinusBeta1 = static_cast<float>(1 - adam.beta1),
          .oneMinusBeta2 = static_cast<float>(1 - adam.beta2),
          .stepSize = static_cast<float>(learningRate * rootCorrection2 / correction1),
          .epsilon = static_cast<float>(adam.epsilon * rootCorrection2),
          .keptShare = static_cast<float>(1 - learningRate * adam.weightDecay)};
}

OptimizerStep sgdFactors(const SgdSpec& sgd, double learningRate) {
  const float momentum = static_cast<float>(sgd.momentum);
  return {.stepSize = static_cast<float>(learningRate),
          .momentum = momentum,
          .gradientShare = sgd.nesterov ? 1.0f : 0.0f,
          .bufferShare = sgd.nesterov ? momentum : 1.0f};
}

}  // namespace

Optimizer optimizerOf(const TrainerSpec& spec) {
  const AdamSpec* adam = std::get_if<AdamSpec>(&spec.optimizer);
  if (adam == nullptr) return Optimizer::sgd;
  return adam->weightDecay == 0 ? Optimizer::adam : Optimizer::adamW;
}

OptimizerStep stepFactors(const TrainerSpec& spec, std::int64_t step, double learningRate) {
  const AdamSpec* adam = std::get_if<AdamSpec>(&spec.optimizer);
  OptimizerStep factors = adam != nullptr ? adamFactors(*adam, step, learningRate)
                                          : sgdFactors(std::get<SgdSpec>(spec.optimizer), learningRate);
  if (spec.averaging && step > 1) factors.averageShare = static_cast<float>(1 - *spec.averaging);
  return factors;
}

}  // namespace eigenae
