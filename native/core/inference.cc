#include "inference.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "kernel_use.h"
#include "prefetch.h"
#include "slices.h"

namespace eigenae {

namespace {

constexpr int tileImages = 64;  // whole panels
constexpr float normEpsilon = 1e-5f;

std::size_t roundUp(std::size_t count, std::size_t step) { return (count + step - 1) / step * step; }

}  // namespace

Inference::Inference(const Layout& layout, const Kernels& kernels, const Parameters& parameters, Team& team)
    : layout_(layout),
      kernels_(kernels),
      width_(kernels.panelColumns),
      parameters_(parameters),
      team_(team),
      scratch_(team.size()),
      black_(layout.inputs()),
      norms_(layout.layers.size()) {
  std::size_t widest = 0;
  for (const Layer& layer : layout.layers) widest = std::max<std::size_t>(widest, layer.outputs);
  inputStride_ = static_cast<std::size_t>(layout.inputs()) * width_;
  stride_ = roundUp(widest, width_) * width_;  // transposing reads and writes whole squares
  rowsStride_ = static_cast<std::size_t>(tileImages) * width_;
  firstWeightStride_ = roundUp(layout.inputs(), width_) * width_;
  firstWeight_ = alignedFloats(roundUp(layout.layers[0].outputs, width_) / width_ * firstWeightStride_);
}

void Inference::encode(const Images& images, const std::vector<float>& runningStatistics, float* embedding) {
  prepareNorms(runningStatistics);
  prepareFirstLayer();
  const int latent = layout_.latent();
  forEachTile(images, [&](std::size_t first, int count, Scratch& scratch) {
    fillClean(images, first, count, scratch);
    const float* codes = forward(false, layout_.bottleneck + 1, count, scratch);
    for (int b = 0; b < count; ++b) {
      const float* from = codes + b / width_ * stride_ + b % width_;
      for (int i = 0; i < latent; ++i) embedding[(first + b) * latent + i] = from[i * width_];
    }
  });
}

void Inference::reconstruct(const Images& images, const std::vector<float>& runningStatistics, float* output) {
  prepareNorms(runningStatistics);
  prepareFirstLayer();
  const int inputs = layout_.inputs();
  forEachTile(images, [&](std::size_t first, int count, Scratch& scratch) {
    fillClean(images, first, count, scratch);
    lastLayer(forward(false, layout_.layers.size() - 1, count, scratch), count, scratch);
    for (int b = 0; b < count; ++b) {
      for (int begin = 0; begin < inputs; begin += width_) {
        std::copy_n(scratch.rows.get() + begin / width_ * rowsStride_ + b * width_, std::min(width_, inputs - begin),
                    output + (first + b) * inputs + begin);
      }
    }
  });
}

double Inference::meanSquaredError(const Images& images, const Noise* noise,
                                   const std::vector<float>& runningStatistics) {
  prepareNorms(runningStatistics);
  prepareFirstLayer();
  const bool noisy = noise != nullptr && noise->deviation != 0;
  const int inputs = layout_.inputs();
  std::vector<double> sums((images.count + tileImages - 1) / tileImages);  // a tile each, so that their order is fixed
  forEachTile(images, [&](std::size_t first, int count, Scratch& scratch) {
    fillClean(images, first, count, scratch);
    if (noisy) fillNoisy(images, *noise, first, count, scratch);
    lastLayer(forward(noisy, layout_.layers.size() - 1, count, scratch), count, scratch);
    double sum = 0;
    for (int begin = 0; begin < inputs; begin += width_) {
      const std::size_t at = begin / width_ * rowsStride_;
      sum += kernels_.squaredError(scratch.rows.get() + at, scratch.clean.get() + at, count,
                                   std::min(width_, inputs - begin));
    }
    sums[first / tileImages] = sum;
  });
  double sum = 0;
  for (const double tile : sums) sum += tile;
  return sum / (static_cast<double>(images.count) * inputs);
}

// gamma · (x + bias − mean) / deviation + beta as scale · x + shift
void Inference::prepareNorms(const std::vector<float>& runningStatistics) {
  for (std::size_t i = 0; i < norms_.size(); ++i) {
    const Layer& layer = layout_.layers[i];
    if (!layer.batchNorm) continue;
    const PanelledLayer& places = parameters_.layer(i);
    const float* values = parameters_.values();
    norms_[i].scale.resize(layer.outputs);
    norms_[i].shift.resize(layer.outputs);
    for (int j = 0; j < layer.outputs; ++j) {
      const float variance = runningStatistics[layer.runningVariance + j];
      const float scale = values[places.gamma + j] / std::sqrt(variance + normEpsilon);
      norms_[i].scale[j] = scale;
      norms_[i].shift[j] =
          values[places.beta + j] + (values[places.bias + j] - runningStatistics[layer.runningMean + j]) * scale;
    }
  }
}

// Transposed, so that the units lie along the vectors and black pixels can be left out.
void Inference::prepareFirstLayer() {
  const PanelledLayer& layer = parameters_.layer(0);
  const float* weight = parameters_.values() + layer.weight;
  for (int begin = 0; begin < layer.columns; begin += width_, weight += layer.stride) {
    kernels_.transpose(weight, layer.rows, firstWeight_.get() + static_cast<std::size_t>(begin) * width_,
                       firstWeightStride_);
  }
}

Inference::Scratch Inference::makeScratch() const {
  const std::size_t panels = tileImages / width_, inputs = layout_.inputs();
  const std::size_t lastInputs = layout_.layers.back().inputs, widest = std::max(inputs, lastInputs);
  Scratch scratch{alignedFloats(roundUp(inputs, width_) * tileImages),
                  alignedFloats(panels * inputStride_),
                  {alignedFloats(panels * stride_), alignedFloats(panels * stride_)},
                  alignedFloats(roundUp(std::max<std::size_t>(inputs, layout_.layers[0].outputs), width_) * tileImages),
                  alignedFloats(roundUp(lastInputs, width_) * tileImages),
                  Prepared(kernels_),
                  SparseFactor(kernels_, tileImages, static_cast<int>(widest))};
  scratch.factor.reserve(static_cast<int>(std::max(inputs, stride_ / width_)), 1);
  return scratch;
}

// Calls visit(first image, count, scratch).
template <typename Visit>
void Inference::forEachTile(const Images& images, Visit visit) {
  const std::size_t tiles = (images.count + tileImages - 1) / tileImages;
  std::atomic<std::size_t> next{0};
  team_.run([&](int member) {
    const KernelUse use(kernels_);
    if (scratch_[member] == nullptr) scratch_[member] = std::make_unique<Scratch>(makeScratch());
    for (std::size_t tile = next++; tile < tiles; tile = next++) {
      const std::size_t first = tile * tileImages;
      visit(first, static_cast<int>(std::min<std::size_t>(tileImages, images.count - first)), *scratch_[member]);
    }
  });
}

void Inference::fillClean(const Images& images, std::size_t first, int count, Scratch& scratch) const {
  const std::size_t inputs = layout_.inputs();
  std::uint32_t index[tileImages];
  std::iota(index, index + count, 0);
  // Asked for at once, not panel by panel: 7 % of a pass on a Zen 4.
  if (images.bytes != nullptr) prefetch(images.bytes + first * inputs, count * inputs);
  for (std::size_t begin = 0; begin < inputs; begin += width_) {
    const int some = static_cast<int>(std::min<std::size_t>(width_, inputs - begin));
    float* clean = scratch.clean.get() + begin / width_ * rowsStride_;
    if (images.bytes != nullptr) {
      kernels_.readPixels(images.bytes + first * inputs + begin, inputs, index, count, some, clean);
      continue;
    }
    for (int i = 0; i < count; ++i) std::copy_n(images.floats + (first + i) * inputs + begin, some, clean + i * width_);
  }
}

void Inference::fillNoisy(const Images& images, const Noise& noise, std::size_t first, int count,
                          Scratch& scratch) const {
  constexpr int widestPanel = 32;
  const std::size_t inputs = layout_.inputs();
  const bool floats = images.floats != nullptr;
  for (int p = 0; p * width_ < count; ++p) {
    float* input = scratch.input.get() + p * inputStride_;
    std::uint32_t index[widestPanel];
    for (int c = 0; c < width_; ++c) index[c] = static_cast<std::uint32_t>(first + std::min(p * width_ + c, count - 1));
    const NoisyInput from{floats ? black_.data() : images.bytes, inputs,
                          floats ? 0 : inputs,                   index,
                          noise.seed,                            noise.purpose,
                          noise.epoch,                           noise.deviation};
    kernels_.fillInput(from, 0, static_cast<int>((inputs + 3) / 4), input);
    for (int c = 0; floats && c < width_; ++c) {
      const float* values = images.floats + index[c] * inputs;
      for (std::size_t i = 0; i < inputs; ++i) input[i * width_ + c] += values[i];
    }
  }
}

// Runs the first `layers` layers; returns their output in panels. How a layer is computed must not depend on the images
// beside one: an image gives the same bits in every tile.
const float* Inference::forward(bool noisy, std::size_t layers, int count, Scratch& scratch) const {
  const int panels = (count + width_ - 1) / width_;
  const float* in = scratch.input.get();
  std::size_t inStride = inputStride_;
  for (std::size_t i = 0; i < layers; ++i) {
    float* out = scratch.activations[i % 2].get();
    if (i == 0 && !noisy) {
      firstLayer(count, scratch, out);
    } else {
      linear(i, in, inStride, panels, scratch.factor, out);
    }
    activate(i, panels, out);
    in = out;
    inStride = stride_;
  }
  return in;
}

// Of clean images: four fifths of MNIST's pixels are black.
void Inference::firstLayer(int count, Scratch& scratch, float* out) const {
  const Layer& layer = layout_.layers[0];
  const int panels = (layer.outputs + width_ - 1) / width_;
  scratch.sparse.list(scratch.clean.get(), rowsStride_, count, layer.inputs);
  kernels_.multiplySparse(scratch.sparse.matrix(), firstWeight_.get(), firstWeightStride_, panels, scratch.rows.get(),
                          rowsStride_);
  for (int p = 0; p < panels; ++p) {
    kernels_.transpose(scratch.rows.get() + p * rowsStride_, count,
                       out + static_cast<std::size_t>(p) * width_ * width_, stride_);
  }
}

void Inference::linear(std::size_t index, const float* in, std::size_t inStride, int panels, Prepared& factor,
                       float* out) const {
  const PanelledLayer& layer = parameters_.layer(index);
  const float* weight = parameters_.values() + layer.weight;
  if (layer.transposed) {
    for (int p = 0; p < panels; ++p) {
      kernels_.multiplyTransposed(weight, layer.stride, layer.columns, layer.rows, in + p * inStride, false,
                                  out + p * stride_);
    }
    return;
  }
  for (int slice = 0; slice < slices; ++slice) {  // so that its weights stay in the cache from panel to panel
    const Range columns = slicePixels(layer.columns, slice, width_);
    const int count = columns.end - columns.begin;
    if (count == 0) continue;
    const float* some = weight + columns.begin / width_ * layer.stride;
    for (int p = 0; p < panels; ++p) {
      const float* from = in + p * inStride + static_cast<std::size_t>(columns.begin) * width_;
      kernels_.multiply(some, layer.stride, layer.rows, count, factor(from, 0, count).data, columns.begin > 0,
                        out + p * stride_);
    }
  }
}

void Inference::activate(std::size_t index, int panels, float* values) const {
  const Layer& layer = layout_.layers[index];
  const float* bias = parameters_.values() + parameters_.layer(index).bias;
  const bool rectify = layer.activation == Activation::relu;
  for (int p = 0; p < panels; ++p, values += stride_) {
    if (layer.batchNorm) {
      kernels_.scaleShift(norms_[index].scale.data(), norms_[index].shift.data(), layer.outputs, rectify, values);
    } else {
      kernels_.addBias(bias, layer.outputs, rectify, values);
    }
  }
}

// Leaves the outputs in scratch.rows.
void Inference::lastLayer(const float* in, int count, Scratch& scratch) const {
  const std::size_t last = layout_.layers.size() - 1;
  const PanelledLayer& layer = parameters_.layer(last);
  const float* weight = parameters_.values() + layer.weight;
  const float* bias = parameters_.values() + layer.bias;
  const int panels = (layer.columns + width_ - 1) / width_;
  float* rows = scratch.rows.get();
  if (layout_.layers[last - 1].activation == Activation::relu) {
    for (int p = 0; p * width_ < count; ++p) {
      kernels_.transpose(in + p * stride_, layer.rows,
                         scratch.features.get() + static_cast<std::size_t>(p) * width_ * width_, rowsStride_);
    }
    scratch.sparse.list(scratch.features.get(), rowsStride_, count, layer.rows);
    kernels_.multiplySparse(scratch.sparse.matrix(), weight, layer.stride, panels, rows, rowsStride_);
  } else {
    for (int p = 0; p < panels; ++p) {
      kernels_.multiplyTransposed(in, stride_, count, layer.rows, weight + p * layer.stride, false,
                                  rows + p * rowsStride_);
    }
  }
  for (int p = 0; p < panels; ++p) kernels_.sigmoid(bias + p * width_, count, rows + p * rowsStride_);
}

}  // namespace eigenae
