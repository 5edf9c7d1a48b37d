#include "network.h"

#include <algorithm>

#include "activations.h"
#include "batch_norm.h"
#include "linear.h"

namespace eigenae {

namespace {

std::size_t area(int rows, int columns) { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns); }

}  // namespace

Network::Network(const Layout& layout, int capacity) : layout_(layout) {
  std::size_t largestWeight = 0;
  for (const Layer& layer : layout_.layers) {
    LayerPass pass;
    pass.output.resize(area(capacity, layer.outputs));
    pass.gradient.resize(area(capacity, layer.outputs));
    if (layer.batchNorm) {
      pass.normalized.resize(area(capacity, layer.outputs));
      pass.inverseDeviation.resize(layer.outputs);
    }
    passes_.push_back(std::move(pass));
    largestWeight = std::max(largestWeight, area(layer.outputs, layer.inputs));
  }
  transposedWeight_.resize(largestWeight);
}

void Network::forwardTraining(const float* input, int batch, const float* parameters, float* runningStatistics) {
  for (std::size_t i = 0; i < layout_.layers.size(); ++i) {
    const Layer& layer = layout_.layers[i];
    LayerPass& pass = passes_[i];
    linearForward(input, parameters + layer.weight, parameters + layer.bias, batch, layer.inputs, layer.outputs,
                  transposedWeight_.data(), pass.output.data());
    if (layer.batchNorm) {
      batchNormForward(pass.output.data(), batch, layer.outputs, parameters + layer.gamma, parameters + layer.beta,
                       pass.normalized.data(), pass.inverseDeviation.data(), runningStatistics + layer.runningMean,
                       runningStatistics + layer.runningVariance);
    }
    activate(i, batch);
    input = pass.output.data();
  }
}

void Network::forwardInference(const float* input, int batch, const float* parameters, const float* runningStatistics,
                               std::size_t layers) {
  for (std::size_t i = 0; i < layers; ++i) {
    const Layer& layer = layout_.layers[i];
    float* output = passes_[i].output.data();
    linearForward(input, parameters + layer.weight, parameters + layer.bias, batch, layer.inputs, layer.outputs,
                  transposedWeight_.data(), output);
    if (layer.batchNorm) {
      batchNormInference(output, batch, layer.outputs, parameters + layer.gamma, parameters + layer.beta,
                         runningStatistics + layer.runningMean, runningStatistics + layer.runningVariance);
    }
    activate(i, batch);
    input = output;
  }
}

void Network::activate(std::size_t layer, int batch) {
  const std::size_t count = area(batch, layout_.layers[layer].outputs);
  float* values = passes_[layer].output.data();
  if (layout_.layers[layer].activation == Activation::relu) reluForward(values, count);
  if (layout_.layers[layer].activation == Activation::sigmoid) sigmoidForward(values, count);
}

void Network::backward(const float* input, const float* target, int batch, const float* parameters,
                       const double* latentGradient, float* parameterGradient) {
  sigmoidMeanSquaredErrorBackward(output(), target, area(batch, layout_.inputs()), passes_.back().gradient.data());
  for (std::size_t i = layout_.layers.size(); i-- > 0;) {
    const Layer& layer = layout_.layers[i];
    LayerPass& pass = passes_[i];
    float* gradient = pass.gradient.data();
    const std::size_t count = area(batch, layer.outputs);

    if (i == layout_.bottleneck && latentGradient != nullptr) {
      for (std::size_t j = 0; j < count; ++j) gradient[j] += static_cast<float>(latentGradient[j]);
    }
    if (layer.activation == Activation::relu) reluBackward(pass.output.data(), gradient, count);
    if (layer.batchNorm) {
      backwardBatchNorm(i, batch, parameters, latentGradient, parameterGradient);
    } else {
      linearBackwardBias(gradient, batch, layer.outputs, parameterGradient + layer.bias);
    }
    const float* layerInput = i == 0 ? input : passes_[i - 1].output.data();
    linearBackwardWeight(gradient, layerInput, batch, layer.inputs, layer.outputs, parameterGradient + layer.weight);
    if (i > 0) {
      linearBackwardInput(gradient, parameters + layer.weight, batch, layer.inputs, layer.outputs,
                          passes_[i - 1].gradient.data());
    }
  }
}

// Two gradients are exactly 0 here; summed up they would be rounding noise, which Adam scales to full steps.
void Network::backwardBatchNorm(std::size_t index, int batch, const float* parameters, const double* latentGradient,
                                float* parameterGradient) {
  const Layer& layer = layout_.layers[index];
  LayerPass& pass = passes_[index];
  batchNormBackward(pass.gradient.data(), batch, layer.outputs, parameters + layer.gamma, pass.normalized.data(),
                    pass.inverseDeviation.data(), parameterGradient + layer.gamma, parameterGradient + layer.beta);

  // Batch norm takes the bias before it away again.
  std::fill_n(parameterGradient + layer.bias, layer.outputs, 0.0f);

  // So does the next layer's with a shift of the latent codes, as no activation lies between: only the eigen losses, which
  // see the codes themselves, have a say in the bottleneck's beta.
  if (index != layout_.bottleneck || !layout_.layers[index + 1].batchNorm) return;
  for (int i = 0; i < layer.outputs; ++i) {
    double sum = 0;
    for (int b = 0; b < batch && latentGradient != nullptr; ++b) sum += latentGradient[area(b, layer.outputs) + i];
    parameterGradient[layer.beta + i] = static_cast<float>(sum);
  }
}

}  // namespace eigenae
