#include "plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace eigenae::cuda {

namespace {

struct Kind {
  const char* name;
  EigenLossKind kind;
  const char* parameter;  // the name of its formula's parameter; null if it has none
};

constexpr Kind kinds[] = {
    {.name = "top-k", .kind = topK, .parameter = "k"},
    {.name = "log-max", .kind = logMax, .parameter = nullptr},
    {.name = "entropy", .kind = entropy, .parameter = nullptr},
    {.name = "log-det", .kind = logDet, .parameter = "epsilon"},
    {.name = "kl-normal", .kind = klNormal, .parameter = "epsilon"},
    {.name = "kl-diagonal", .kind = klDiagonal, .parameter = "epsilon"},
    {.name = "variance", .kind = variance, .parameter = nullptr},
    {.name = "covariance", .kind = covariance, .parameter = nullptr},
    {.name = "decorrelation", .kind = decorrelation, .parameter = nullptr},
};

const Kind* findKind(const std::string& name) {
  const auto found = std::find_if(std::begin(kinds), std::end(kinds), [&](const Kind& k) { return k.name == name; });
  return found == std::end(kinds) ? nullptr : found;
}

Activation activationOf(const TrainerSpec& spec) {
  if (spec.activation.kind == eigenae::Activation::leakyRelu) return leakyRelu;
  return spec.activation.kind == eigenae::Activation::silu ? silu : relu;
}

std::optional<std::string> refusalOfWidths(const TrainerSpec& spec) {
  const std::size_t count = spec.widths.size();
  if (count < 3) return "a network without hidden layers";
  if (count > maximalWidths) return "an encoder of more than " + std::to_string(maximalWidths - 1) + " layers";
  return std::nullopt;
}

std::optional<std::string> refusalOfTerms(const TrainerSpec& spec) {
  if (spec.eigenLosses.size() > maximalTerms) return "more than " + std::to_string(maximalTerms) + " eigen losses";
  const int latentLayer = static_cast<int>(spec.widths.size()) - 2;
  for (const EigenLossSpec& term : spec.eigenLosses) {
    if (findKind(term.kind) == nullptr) return "the eigen loss " + term.kind;
    if (term.layers != std::vector<int>{latentLayer}) return "eigen losses on hidden layers";
  }
  return std::nullopt;
}

// The shape without its division among blocks.
Shape shapeOf(const TrainerSpec& spec) {
  Shape shape{};
  std::copy(spec.widths.begin(), spec.widths.end(), shape.widths);
  shape.depth = static_cast<int>(spec.widths.size()) - 1;
  shape.batch = spec.batchSize;
  for (std::size_t layer = 0; layer < spec.batchNorm.size(); ++layer) {
    if (spec.batchNorm[layer]) shape.batchNorm |= 1u << layer;
  }
  shape.activation = activationOf(spec);
  return shape;
}

std::optional<std::string> refusalText(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return std::nullopt;
    case Refusal::depth:
      return "a network of this depth";
    case Refusal::width:
      return "layers of this width";
    case Refusal::batch:
      return "batches of more than " + std::to_string(maximalBatch) + " images";
    case Refusal::latent:
      return "more than " + std::to_string(maximalLatent) + " latent units";
  }
  return "this network";
}

std::string joined(const int* numbers, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + std::to_string(numbers[i]);
  return text;
}

}  // namespace

Plan planFor(const TrainerSpec& spec, int sharedBytes) {
  Plan plan;
  plan.refusal = refusalOfWidths(spec);
  if (!plan.refusal) plan.refusal = refusalOfTerms(spec);
  if (plan.refusal) return plan;
  plan.shape = shapeOf(spec);
  plan.refusal = refusalText(refusalOf(plan.shape));
  if (!plan.refusal && !chooseDivision(plan.shape, sharedBytes)) {
    plan.refusal = "a network that needs more than the card's " + std::to_string(sharedBytes / 1024) +
                   " KB of shared memory a block";
  }
  return plan;
}

std::vector<std::string> Plan::options() const {
  const auto define = [](const char* name, const std::string& value) { return std::string("-D") + name + "=" + value; };
  return {
      "--gpu-architecture=compute_70",
      "--std=c++17",
      "--fmad=false",
      "--device-as-default-execution-space",  // for lambdas, which name no space
      define("WIDTHS", joined(shape.widths, shape.depth + 1)),
      define("BATCH", std::to_string(shape.batch)),
      define("BLOCKS", std::to_string(shape.blocks)),
      define("TILES", std::to_string(shape.tiles)),
      define("BATCH_NORM", std::to_string(shape.batchNorm)),
      define("ACTIVATION", std::to_string(shape.activation)),
  };
}

std::vector<Term> termsOf(const TrainerSpec& spec) {
  std::vector<Term> terms;
  for (const EigenLossSpec& eigenLoss : spec.eigenLosses) {
    const Kind& kind = *findKind(eigenLoss.kind);
    terms.push_back({.kind = kind.kind,
                     .center = eigenLoss.center ? 1 : 0,
                     .minimumImages = eigenLoss.minimumImages,
                     .reserved = 0,
                     .parameter = kind.parameter == nullptr ? 0 : eigenLoss.parameters.at(kind.parameter)});
  }
  return terms;
}

}  // namespace eigenae::cuda
