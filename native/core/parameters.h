// The parameters, both moments of the optimiser and, with averaging, the averages of the parameters, in panels.
#pragma once

#include <cstddef>
#include <vector>

#include "../kernels/kernels.h"
#include "aligned.h"
#include "layout.h"

namespace eigenae {

// Offsets of a layer's numbers in the panelled arrays. In both large matrices, the first layer's and the last layer's,
// pixels are the columns, so that each thread owns whole panels of them. That makes the last layer's weight transposed;
// of the other layers, the encoder's weights are stored transposed and the decoder's are not. A bias is padded to whole
// panels.
struct PanelledLayer {
  bool transposed = false;
  int rows = 0, columns = 0;  // of the weight as it is stored
  std::size_t weight = 0, stride = 0;
  std::size_t bias = 0, gamma = 0, beta = 0;
};

class Parameters {
 public:
  Parameters(const Layout& layout, int panelColumns, bool averages);

  void setState(const State& state);
  void getState(State& state) const;

  const PanelledLayer& layer(std::size_t index) const { return layers_[index]; }
  const float* values() const { return arrays_.parameters; }
  // The averages if there are any.
  const float* evaluatedValues() const { return arrays_.averages != nullptr ? arrays_.averages : arrays_.parameters; }
  TrainedArrays at(std::size_t offset) const { return arrays_.from(offset); }

  // Sets the averages to 0, from which a step with an averageShare of 1 makes exact copies.
  void clearAverages();

 private:
  template <typename Visit>
  void forEachPlace(Visit visit) const;  // visit(index in State, index here)
  template <typename StateOrConst, typename Visit>
  void forEachArray(StateOrConst& state, Visit visit) const;  // visit(array in State, array here)

  const Layout layout_;
  const std::size_t panelColumns_;
  std::vector<PanelledLayer> layers_;
  std::size_t arraySize_, size_;
  AlignedFloats memory_;  // [size_], which holds all arrays
  TrainedArrays arrays_;
};

}  // namespace eigenae
