// The network's layers and the offsets of their numbers in the flat arrays of State.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "trainer.h"

namespace eigenae {

constexpr float normEpsilon = 1e-5f;  // added to a variance by batch norm, as torch.nn.BatchNorm1d does

struct Layer {
  int inputs = 0;
  int outputs = 0;
  ActivationFunction activation;
  bool batchNorm = false;
  std::size_t weight = 0, bias = 0, gamma = 0, beta = 0;  // offsets into the parameters
  std::size_t runningMean = 0, runningVariance = 0;       // offsets into the running statistics
};

struct Layout {
  std::vector<Layer> layers;    // the encoder's, then the decoder's
  std::size_t latentLayer = 0;  // index of the encoder's last layer
  std::size_t parameterCount = 0;
  std::size_t runningStatisticCount = 0;

  // Whether the next layer's batch norm subtracts the mean of a layer's output. It then removes whatever the layer adds
  // to all images alike: the latent layer's beta, or bias, because no activation lies between.
  bool meanIsRemoved(std::size_t layer) const { return layer == latentLayer && layers[layer + 1].batchNorm; }

  int inputs() const { return layers.front().inputs; }
  int latent() const { return layers[latentLayer].outputs; }
  // Returns the number of units of all layers but the latent layer and the output.
  int hiddenUnits() const {
    int sum = 0;
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) sum += i == latentLayer ? 0 : layers[i].outputs;
    return sum;
  }
  // Upper bound of the embedding's rank: it is a linear map of the features before it, plus a bias.
  int embeddingRank() const { return std::min(latent(), layers[latentLayer].inputs + 1); }
};

Layout makeLayout(const TrainerSpec& spec);

}  // namespace eigenae
