#include "parameters.h"

#include <algorithm>

namespace eigenae {

namespace {

// Gaps in floats. A processor delays a load that has the same offset within a page as a recent store, until it has
// compared the whole addresses (4K aliasing). Therefore neither the arrays nor the panels of a weight are whole
// pages apart: an update of sixteen parameters beside sparse products took 12.5 cycles on a Zen 4, 14 with arrayGap
// alone, and 17 to 28 without gaps.
constexpr std::size_t page = 4096 / sizeof(float), arrayGap = 352, panelGap = 144;

std::size_t take(std::size_t& count, std::size_t floats) {
  const std::size_t offset = count;
  count += roundUp(floats, 16);  // whole cache lines
  return offset;
}

}  // namespace

Parameters::Parameters(const Layout& layout, int panelColumns, bool averages)
    : layout_(layout), panelColumns_(panelColumns) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < layout.layers.size(); ++i) {
    const Layer& layer = layout.layers[i];
    PanelledLayer panelled;
    const bool first = i == 0, last = i + 1 == layout.layers.size();
    panelled.transposed = last || (i <= layout.latentLayer && !first);
    panelled.rows = panelled.transposed ? layer.inputs : layer.outputs;
    panelled.columns = panelled.transposed ? layer.outputs : layer.inputs;
    panelled.stride =
        roundUp(panelled.rows, panelColumns_) * panelColumns_ + panelGap;  // transposing reads whole squares
    panelled.weight = take(count, roundUp(panelled.columns, panelColumns_) / panelColumns_ * panelled.stride);
    panelled.bias = take(count, roundUp(layer.outputs, panelColumns_));
    if (layer.batchNorm) {
      panelled.gamma = take(count, layer.outputs);
      panelled.beta = take(count, layer.outputs);
    }
    layers_.push_back(panelled);
  }
  arraySize_ = roundUp(count, page) + arrayGap;
  size_ = (averages ? 4 : 3) * arraySize_;
  memory_ = alignedFloats(size_);
  float* const first = memory_.get();
  arrays_ = {first, first + arraySize_, first + 2 * arraySize_, averages ? first + 3 * arraySize_ : nullptr};
}

template <typename Visit>
void Parameters::forEachPlace(Visit visit) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layout_.layers[i];
    const PanelledLayer& panelled = layers_[i];
    const std::size_t rows = panelled.rows, columns = panelled.columns;
    const std::size_t rowStep = panelled.transposed ? 1 : columns, columnStep = panelled.transposed ? rows : 1;
    std::size_t panel = panelled.weight;
    for (std::size_t begin = 0; begin < columns; begin += panelColumns_, panel += panelled.stride) {
      const std::size_t some = std::min(panelColumns_, columns - begin);
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t c = 0; c < some; ++c) {
          visit(layer.weight + row * rowStep + (begin + c) * columnStep, panel + row * panelColumns_ + c);
        }
      }
    }
    for (int output = 0; output < layer.outputs; ++output) {
      visit(layer.bias + output, panelled.bias + output);
      if (!layer.batchNorm) continue;
      visit(layer.gamma + output, panelled.gamma + output);
      visit(layer.beta + output, panelled.beta + output);
    }
  }
}

template <typename StateOrConst, typename Visit>
void Parameters::forEachArray(StateOrConst& state, Visit visit) const {
  visit(state.parameters, arrays_.parameters);
  visit(state.firstMoments, arrays_.firstMoments);
  visit(state.secondMoments, arrays_.secondMoments);
  if (arrays_.averages != nullptr) visit(state.averagedParameters, arrays_.averages);
}

// Also sets the padding to 0, which a diverged training may have filled with NaN.
void Parameters::setState(const State& state) {
  std::fill_n(memory_.get(), size_, 0.0f);
  forEachArray(state, [&](const std::vector<float>& from, float* to) {
    forEachPlace([&](std::size_t there, std::size_t here) { to[here] = from[there]; });
  });
}

void Parameters::getState(State& state) const {
  forEachArray(state, [&](std::vector<float>& to, const float* from) {
    to.resize(layout_.parameterCount);
    forEachPlace([&](std::size_t there, std::size_t here) { to[there] = from[here]; });
  });
}

void Parameters::clearAverages() {
  if (arrays_.averages != nullptr) std::fill_n(arrays_.averages, arraySize_, 0.0f);
}

}  // namespace eigenae
