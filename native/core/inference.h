// Images through the network, batch norm by its running statistics: tile after tile, each wholly on one thread.
#pragma once

#include <functional>
#include <vector>

#include "../kernels/kernels.h"
#include "aligned.h"
#include "parameters.h"
#include "prepared.h"
#include "team.h"

namespace eigenae {

class Inference {
 public:
  Inference(const Layout& layout, const Kernels& kernels, const Parameters& parameters, Team& team);

  void encode(const Images& images, const std::vector<float>& runningStatistics, float* embedding);
  void reconstruct(const Images& images, const std::vector<float>& runningStatistics, float* output);
  // the mean over images and pixels; noise may be null
  double meanSquaredError(const Images& images, const Noise* noise, const std::vector<float>& runningStatistics);

 private:
  struct Scratch {
    AlignedFloats input, target;        // panels [inputs]
    AlignedFloats activations[2];       // panels [widest layer], layers in turn
    Prepared factor;                    // of those, what a layer takes
  };
  struct Norm {
    std::vector<float> scale, shift;
  };

  void prepareNorms(const std::vector<float>& runningStatistics);
  template <typename Visit>
  void forEachTile(const Images& images, const Noise* noise, std::size_t layers, Visit visit);
  void fill(const Images& images, const Noise* noise, std::size_t first, int count, Scratch& scratch);
  const float* forward(std::size_t layers, int panels, Scratch& scratch) const;
  void linear(std::size_t layer, const float* in, std::size_t inStride, int panels, Prepared& factor, float* out) const;
  void activate(std::size_t layer, int panels, float* values) const;

  const Layout& layout_;
  const Kernels& kernels_;
  const int width_;
  const Parameters& parameters_;
  Team& team_;
  std::size_t inputStride_ = 0, stride_ = 0;  // from panel to panel
  std::vector<Scratch> scratch_;              // a member each
  const std::vector<std::uint8_t> black_;     // an image, for noise on images that are not bytes
  std::vector<Norm> norms_;                   // a layer each
};

}  // namespace eigenae
