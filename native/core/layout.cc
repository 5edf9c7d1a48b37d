#include "layout.h"

namespace eigenae {

namespace {

Activation activationOf(std::size_t layer, std::size_t encoderLayers, Activation hidden) {
  if (layer + 1 == 2 * encoderLayers) return Activation::sigmoid;
  return layer + 1 == encoderLayers ? Activation::none : hidden;
}

std::size_t take(std::size_t& count, int rows, int columns = 1) {
  const std::size_t offset = count;
  count += static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  return offset;
}

}  // namespace

Layout makeLayout(const TrainerSpec& spec) {
  std::vector<int> widths = spec.widths;
  widths.insert(widths.end(), spec.widths.rbegin() + 1, spec.widths.rend());
  const std::size_t encoderLayers = spec.widths.size() - 1;

  Layout layout;
  layout.latentLayer = encoderLayers - 1;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    Layer layer;
    layer.inputs = widths[i];
    layer.outputs = widths[i + 1];
    layer.activation = activationOf(i, encoderLayers, spec.activation);
    layer.batchNorm = i < spec.batchNorm.size() && spec.batchNorm[i];
    layer.weight = take(layout.parameterCount, layer.outputs, layer.inputs);
    layer.bias = take(layout.parameterCount, layer.outputs);
    if (layer.batchNorm) {
      layer.gamma = take(layout.parameterCount, layer.outputs);
      layer.beta = take(layout.parameterCount, layer.outputs);
      layer.runningMean = take(layout.runningStatisticCount, layer.outputs);
      layer.runningVariance = take(layout.runningStatisticCount, layer.outputs);
    }
    layout.layers.push_back(layer);
  }
  return layout;
}

}  // namespace eigenae
