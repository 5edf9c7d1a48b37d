// Runs images through the network, with batch norm using its running statistics. Images are processed in tiles, each
// by one thread.
#pragma once

#include <memory>
#include <vector>

#include "../kernels/kernels.h"
#include "aligned.h"
#include "call_control.h"
#include "packed_factor.h"
#include "parameters.h"
#include "sparse_factor.h"
#include "team.h"

namespace eigenae {

class Inference {
 public:
  Inference(const Layout& layout, const Kernels& kernels, const Parameters& parameters, Team& team,
            const CallControl& control);

  void encode(const Images& images, const std::vector<float>& runningStatistics, float* embedding);
  void reconstruct(const Images& images, const std::vector<float>& runningStatistics, float* output);
  // Returns the mean over images and pixels; noise may be null.
  double meanSquaredError(const Images& images, const Noise* noise, const std::vector<float>& runningStatistics);

 private:
  // A thread's values of one tile.
  struct Scratch {
    // Panels [images][…], rowsStride_ apart: the images without noise, the outputs of the first or the last layer, and
    // the input of the last layer.
    AlignedFloats clean, rows, features;
    AlignedFloats input;           // panels [inputs][images], with noise
    AlignedFloats activations[2];  // panels [widest layer][images], used by the layers in turn
    FactorPacker factor;           // packs a layer's input
    SparseFactor sparse;           // lists the nonzero elements of clean or features
  };
  struct Norm {
    std::vector<float> scale, shift;
  };

  Scratch makeScratch() const;
  template <typename Visit>
  void forEachTile(const Images& images, Visit visit);
  void fillClean(const Images& images, std::size_t first, int count, Scratch& scratch) const;
  void fillNoisy(const Images& images, const Noise& noise, std::size_t first, int count, Scratch& scratch) const;
  // inference_layers.cc
  void prepareBatchNorms(const std::vector<float>& runningStatistics);
  void prepareFirstLayer();  // only needed for images without noise
  const float* forward(bool noisy, std::size_t layers, int count, Scratch& scratch) const;
  void firstLayer(int count, Scratch& scratch, float* out) const;
  void linear(std::size_t layer, const float* in, std::size_t inStride, int panels, FactorPacker& factor,
              float* out) const;
  void activate(std::size_t layer, int panels, float* values) const;
  void lastLayer(const float* in, int count, Scratch& scratch) const;

  const Layout& layout_;
  const Kernels& kernels_;
  const int width_;
  const Parameters& parameters_;
  Team& team_;
  const CallControl& control_;
  std::size_t inputStride_ = 0, stride_ = 0, rowsStride_ = 0;  // floats from panel to panel
  std::vector<std::unique_ptr<Scratch>> scratch_;              // for each thread, allocated by that thread
  const std::vector<std::uint8_t> blackImage_;  // [inputs] zeros: the pixels under the noise of images given as floats
  AlignedFloats firstWeight_;                   // the first layer's weight, transposed
  std::size_t firstWeightStride_ = 0;
  std::vector<Norm> batchNorms_;  // for each layer
};

}  // namespace eigenae
