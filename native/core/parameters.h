// The parameters and their moments in the order the kernels want.
#pragma once

#include <cstddef>
#include <vector>

#include "../kernels/kernels.h"
#include "aligned.h"
#include "layout.h"

namespace eigenae {

// A layer's places in the panelled arrays. The pixels are columns of both large matrices, the first layer's and the last
// one's: a member of the team owns panels of them. The encoder's other weights lie transposed, the decoder's other ones
// do not. A bias has room for whole panels.
struct PanelledLayer {
  bool transposed = false;
  int rows = 0, columns = 0;  // of the weight in memory
  std::size_t weight = 0, stride = 0;
  std::size_t bias = 0, gamma = 0, beta = 0;
};

class Parameters {
 public:
  Parameters(const Layout& layout, int panelColumns);

  void setState(const State& state);
  void getState(State& state) const;

  const PanelledLayer& layer(std::size_t index) const { return layers_[index]; }
  const float* values() const { return arrays_[0]; }
  Trained at(std::size_t offset) const { return {arrays_[0] + offset, arrays_[1] + offset, arrays_[2] + offset}; }

 private:
  template <typename Visit>
  void forEachPlace(Visit visit) const;  // visit(index in State, index here)

  const Layout layout_;
  const std::size_t panelColumns_;
  std::vector<PanelledLayer> layers_;
  std::size_t size_;
  AlignedFloats memory_;  // [size_]
  float* arrays_[3];  // parameters, first and second moments
};

}  // namespace eigenae
