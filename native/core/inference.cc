#include "inference.h"

#include <algorithm>
#include <cmath>

#include "kernel_use.h"
#include "prefetch.h"
#include "slices.h"

namespace eigenae {

namespace {

constexpr int tileImages = 64;
constexpr float normEpsilon = 1e-5f;

// Copies panels [rows] to rows [images][rows].
void unpack(const float* panels, std::size_t stride, int width, int count, int rows, float* out) {
  for (int b = 0; b < count; ++b) {
    const float* from = panels + b / width * stride + b % width;
    for (int r = 0; r < rows; ++r) out[static_cast<std::size_t>(b) * rows + r] = from[r * width];
  }
}

}  // namespace

Inference::Inference(const Layout& layout, const Kernels& kernels, const Parameters& parameters, Team& team)
    : layout_(layout),
      kernels_(kernels),
      width_(kernels.panelColumns),
      parameters_(parameters),
      team_(team),
      black_(layout.inputs()),
      norms_(layout.layers.size()) {
  int widest = 0;
  for (const Layer& layer : layout.layers) widest = std::max(widest, layer.outputs);
  inputStride_ = static_cast<std::size_t>(layout.inputs()) * width_;
  stride_ = static_cast<std::size_t>(widest) * width_;
  for (int member = 0; member < team.size(); ++member) {
    scratch_.push_back({nullptr, nullptr, {nullptr, nullptr}, Prepared(kernels)});
    scratch_[member].factor.reserve(std::max(widest, layout.inputs()), 1);
  }
}

void Inference::encode(const Images& images, const std::vector<float>& runningStatistics, float* embedding) {
  prepareNorms(runningStatistics);
  const int latent = layout_.latent();
  forEachTile(images, nullptr, layout_.bottleneck + 1, [&](std::size_t first, int count, const float* values, Scratch&) {
    unpack(values, stride_, width_, count, latent, embedding + first * latent);
  });
}

void Inference::reconstruct(const Images& images, const std::vector<float>& runningStatistics, float* output) {
  prepareNorms(runningStatistics);
  const int inputs = layout_.inputs();
  forEachTile(images, nullptr, layout_.layers.size(), [&](std::size_t first, int count, const float* values, Scratch&) {
    unpack(values, stride_, width_, count, inputs, output + first * inputs);
  });
}

double Inference::meanSquaredError(const Images& images, const Noise* noise,
                                   const std::vector<float>& runningStatistics) {
  prepareNorms(runningStatistics);
  std::vector<double> sums((images.count + tileImages - 1) / tileImages);  // a tile each, so that their order is fixed
  forEachTile(images, noise, layout_.layers.size(),
              [&](std::size_t first, int count, const float* values, Scratch& scratch) {
                double sum = 0;
                for (int p = 0; p * width_ < count; ++p) {
                  sum += kernels_.squaredError(values + p * stride_, scratch.target.get() + p * inputStride_,
                                               layout_.inputs(), std::min(width_, count - p * width_));
                }
                sums[first / tileImages] = sum;
              });
  double sum = 0;
  for (const double tile : sums) sum += tile;
  return sum / (static_cast<double>(images.count) * layout_.inputs());
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

// Runs the first `layers` layers; visit(first image, count, their output in panels, scratch).
template <typename Visit>
void Inference::forEachTile(const Images& images, const Noise* noise, std::size_t layers, Visit visit) {
  const std::size_t tiles = (images.count + tileImages - 1) / tileImages;
  std::atomic<std::size_t> next{0};
  team_.run([&](int member) {
    const KernelUse use(kernels_);
    Scratch& scratch = scratch_[member];
    if (scratch.input == nullptr) {
      constexpr std::size_t widestPanel = 32;
      const std::size_t panels = (tileImages + widestPanel - 1) / width_ + 1;
      scratch.input = alignedFloats(panels * inputStride_);
      scratch.target = alignedFloats(panels * inputStride_);
      for (AlignedFloats& activations : scratch.activations) activations = alignedFloats(panels * stride_);
    }
    for (std::size_t tile = next++; tile < tiles; tile = next++) {
      const std::size_t first = tile * tileImages;
      const int count = static_cast<int>(std::min<std::size_t>(tileImages, images.count - first));
      const std::size_t inputs = layout_.inputs();  // asked for at once, not row by row: 7 % of a pass on a Zen 4
      if (images.bytes != nullptr) prefetch(images.bytes + first * inputs, count * inputs);
      fill(images, noise, first, count, scratch);
      visit(first, count, forward(layers, (count + width_ - 1) / width_, scratch), scratch);
    }
  });
}

void Inference::fill(const Images& images, const Noise* noise, std::size_t first, int count, Scratch& scratch) {
  constexpr int widestPanel = 32;
  const std::size_t inputs = layout_.inputs();
  const Noise none{};
  const Noise& named = noise == nullptr ? none : *noise;
  for (int p = 0; p * width_ < count; ++p) {
    float* input = scratch.input.get() + p * inputStride_;
    float* target = scratch.target.get() + p * inputStride_;
    std::uint32_t index[widestPanel];
    for (int c = 0; c < width_; ++c) index[c] = static_cast<std::uint32_t>(first + std::min(p * width_ + c, count - 1));
    const bool floats = images.floats != nullptr;
    const NoisyInput from{floats ? black_.data() : images.bytes, inputs,
                          floats ? 0 : inputs,                   index,
                          named.seed,                            named.purpose,
                          named.epoch,                           named.deviation};
    kernels_.fillInput(from, 0, static_cast<int>((inputs + 3) / 4), input, target);
    if (!floats) continue;
    for (int c = 0; c < width_; ++c) {
      const float* values = images.floats + index[c] * inputs;
      for (std::size_t i = 0; i < inputs; ++i) {
        target[i * width_ + c] = values[i];
        input[i * width_ + c] += values[i];
      }
    }
  }
}

const float* Inference::forward(std::size_t layers, int panels, Scratch& scratch) const {
  const float* in = scratch.input.get();
  std::size_t inStride = inputStride_;
  for (std::size_t i = 0; i < layers; ++i) {
    float* out = scratch.activations[i % 2].get();
    linear(i, in, inStride, panels, scratch.factor, out);
    activate(i, panels, out);
    in = out;
    inStride = stride_;
  }
  return in;
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
    } else if (layer.activation == Activation::sigmoid) {
      kernels_.sigmoid(bias, layer.outputs, values);
    } else {
      kernels_.addBias(bias, layer.outputs, rectify, values);
    }
  }
}

}  // namespace eigenae
