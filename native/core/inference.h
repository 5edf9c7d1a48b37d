// Images through the network, batch norm by its running statistics: tile after tile, each wholly on one thread.
#pragma once

#include <memory>
#include <vector>

#include "../kernels/kernels.h"
#include "aligned.h"
#include "call_control.h"
#include "parameters.h"
#include "prepared.h"
#include "sparse_factor.h"
#include "team.h"

namespace eigenae {

class Inference {
 public:
  Inference(const Layout& layout, const Kernels& kernels, const Parameters& parameters, Team& team,
            const CallControl& control);

  void encode(const Images& images, const std::vector<float>& runningStatistics, float* embedding);
  void reconstruct(const Images& images, const std::vector<float>& runningStatistics, float* output);
  // the mean over images and pixels; noise may be null
  double meanSquaredError(const Images& images, const Noise* noise, const std::vector<float>& runningStatistics);

 private:
  // Of a tile.
  struct Scratch {
    // With a row an image, panels rowsStride_ apart: the images without noise; the first or the last layer's outputs;
    // what the last layer takes.
    AlignedFloats clean, rows, features;
    AlignedFloats input;           // panels [inputs], with noise
    AlignedFloats activations[2];  // panels [widest layer], layers in turn
    Prepared factor;               // of activations, what a layer takes
    SparseFactor sparse;           // of clean or features
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
  void prepareNorms(const std::vector<float>& runningStatistics);
  void prepareFirstLayer();  // for images without noise
  const float* forward(bool noisy, std::size_t layers, int count, Scratch& scratch) const;
  void firstLayer(int count, Scratch& scratch, float* out) const;
  void linear(std::size_t layer, const float* in, std::size_t inStride, int panels, Prepared& factor, float* out) const;
  void activate(std::size_t layer, int panels, float* values) const;
  void lastLayer(const float* in, int count, Scratch& scratch) const;

  const Layout& layout_;
  const Kernels& kernels_;
  const int width_;
  const Parameters& parameters_;
  Team& team_;
  const CallControl& control_;
  std::size_t inputStride_ = 0, stride_ = 0, rowsStride_ = 0;  // from panel to panel
  std::vector<std::unique_ptr<Scratch>> scratch_;              // a member each, made by itself
  const std::vector<std::uint8_t> black_;                      // an image, for noise on images that are not bytes
  AlignedFloats firstWeight_;                                  // the first layer's, transposed
  std::size_t firstWeightStride_ = 0;
  std::vector<Norm> norms_;  // a layer each
};

}  // namespace eigenae
