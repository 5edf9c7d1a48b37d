// The autoencoder itself: forward and backward through all layers, on flat parameters. It holds the activations of one
// batch and nothing that outlives it.
#pragma once

#include <cstddef>
#include <vector>

#include "../../core/layout.h"

namespace eigenae {

class Network {
 public:
  Network(const Layout& layout, int capacity);  // capacity: the largest batch

  // input: [batch][inputs]. Batch norm normalises by the batch and moves the running statistics.
  void forwardTraining(const float* input, int batch, const float* parameters, float* runningStatistics);

  // The first `layers` layers, batch norm by the running statistics.
  void forwardInference(const float* input, int batch, const float* parameters, const float* runningStatistics,
                        std::size_t layers);

  // After forwardTraining on the same input. The loss is mean((output − target)²) plus whatever has the gradient
  // latentGradient [batch][latent] at the bottleneck, which may be null. Writes every element of parameterGradient.
  void backward(const float* input, const float* target, int batch, const float* parameters,
                const double* latentGradient, float* parameterGradient);

  const float* latent() const { return passes_[layout_.bottleneck].output.data(); }  // [batch][latent]
  const float* output() const { return passes_.back().output.data(); }               // [batch][inputs]

 private:
  struct LayerPass {
    std::vector<float> output;            // [capacity][outputs]
    std::vector<float> gradient;          // [capacity][outputs], of the output, then of the linear part
    std::vector<float> normalized;        // [capacity][outputs] with batch norm
    std::vector<float> inverseDeviation;  // [outputs] with batch norm
  };

  void activate(std::size_t layer, int batch);
  void backwardBatchNorm(std::size_t layer, int batch, const float* parameters, const double* latentGradient,
                         float* parameterGradient);

  const Layout layout_;
  std::vector<LayerPass> passes_;
  std::vector<float> transposedWeight_;
};

}  // namespace eigenae
