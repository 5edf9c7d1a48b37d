#include "inference.h"

#include <algorithm>
#include <atomic>
#include <numeric>

#include "prefetch.h"
#include "product_scope.h"
#include "slices.h"

namespace eigenae {

namespace {

constexpr int tileImages = 64;  // a multiple of every panel

}  // namespace

Inference::Inference(const Layout& layout, const Kernels& kernels, const Parameters& parameters, Team& team,
                     const CallControl& control)
    : layout_(layout),
      kernels_(kernels),
      width_(kernels.panelColumns),
      parameters_(parameters),
      team_(team),
      control_(control),
      scratch_(team.size()),
      blackImage_(layout.inputs()),
      batchNorms_(layout.layers.size()) {
  std::size_t widest = 0;
  for (std::size_t i = 0; i + 1 < layout.layers.size(); ++i) {
    widest = std::max<std::size_t>(widest, layout.layers[i].outputs);
  }
  inputStride_ = static_cast<std::size_t>(layout.inputs()) * width_;
  stride_ = roundUp(widest, width_) * width_;  // transpose reads and writes whole squares
  rowsStride_ = static_cast<std::size_t>(tileImages) * width_;
  firstWeightStride_ = roundUp(layout.inputs(), width_) * width_;
  firstWeight_ = alignedFloats(roundUp(layout.layers[0].outputs, width_) / width_ * firstWeightStride_);
}

void Inference::encode(const Images& images, const std::vector<float>& runningStatistics, float* embedding) {
  prepareBatchNorms(runningStatistics);
  prepareFirstLayer();
  const int latent = layout_.latent();
  forEachTile(images, [&](std::size_t first, int count, Scratch& scratch) {
    fillClean(images, first, count, scratch);
    const float* panels = forward(false, layout_.latentLayer + 1, count, scratch);
    for (int b = 0; b < count; ++b) {
      const float* from = panels + b / width_ * stride_ + b % width_;
      for (int i = 0; i < latent; ++i) embedding[(first + b) * latent + i] = from[i * width_];
    }
  });
}

void Inference::reconstruct(const Images& images, const std::vector<float>& runningStatistics, float* output) {
  prepareBatchNorms(runningStatistics);
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

void Inference::linearOutputs(const Images& images, const std::vector<float>& runningStatistics, float* outputs) {
  prepareBatchNorms(runningStatistics);
  prepareFirstLayer();
  const std::size_t total = layout_.hiddenUnits();
  forEachTile(images, [&](std::size_t first, int count, Scratch& scratch) {
    fillClean(images, first, count, scratch);
    std::size_t begin = 0;
    forward(false, layout_.layers.size() - 1, count, scratch, [&](std::size_t index, const float* panels) {
      if (index == layout_.latentLayer) return;
      const int units = layout_.layers[index].outputs;
      const float* bias = parameters_.values() + parameters_.layer(index).bias;
      for (int b = 0; b < count; ++b) {
        const float* from = panels + b / width_ * stride_ + b % width_;
        float* to = outputs + (first + b) * total + begin;
        for (int i = 0; i < units; ++i) to[i] = from[i * width_] + bias[i];
      }
      begin += units;
    });
  });
}

double Inference::meanSquaredError(const Images& images, const Noise* noise,
                                   const std::vector<float>& runningStatistics) {
  const bool noisy = noise != nullptr && noise->deviation != 0;
  prepareBatchNorms(runningStatistics);
  if (!noisy) prepareFirstLayer();
  const int inputs = layout_.inputs();
  std::vector<double> sums((images.count + tileImages - 1) /
                           tileImages);  // for each tile, so that their order is fixed
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

Inference::Scratch Inference::makeScratch() const {
  const std::size_t panels = tileImages / width_, inputs = layout_.inputs();
  const std::size_t lastInputs = layout_.layers.back().inputs;  // as many as the first layer has outputs
  const std::size_t widest = std::max(inputs, lastInputs);
  Scratch scratch{alignedFloats(roundUp(inputs, width_) * tileImages),
                  alignedFloats(roundUp(widest, width_) * tileImages),
                  alignedFloats(roundUp(lastInputs, width_) * tileImages),
                  alignedFloats(panels * inputStride_),
                  {alignedFloats(panels * stride_), alignedFloats(panels * stride_)},
                  FactorPacker(kernels_),
                  SparseFactor(kernels_, tileImages, static_cast<int>(widest))};
  scratch.factor.reserve(static_cast<int>(std::max(inputs, stride_ / width_)), 1);
  return scratch;
}

// Calls visit(first image, count, scratch) for each tile until the call is stopped. Threads take tiles as they finish
// others.
template <typename Visit>
void Inference::forEachTile(const Images& images, Visit visit) {
  const std::size_t tiles = (images.count + tileImages - 1) / tileImages;
  std::atomic<std::size_t> next{0};
  team_.run([&](int thread) {
    const ProductScope use(kernels_);
    if (scratch_[thread] == nullptr) scratch_[thread] = std::make_unique<Scratch>(makeScratch());
    for (std::size_t tile = next++; tile < tiles && !control_.stopped(); tile = next++) {
      const std::size_t first = tile * tileImages;
      visit(first, static_cast<int>(std::min<std::size_t>(tileImages, images.count - first)), *scratch_[thread]);
    }
  });
}

void Inference::fillClean(const Images& images, std::size_t first, int count, Scratch& scratch) const {
  const std::size_t inputs = layout_.inputs();
  std::uint32_t index[tileImages];
  std::iota(index, index + count, 0);
  // Prefetched all at once instead of panel by panel, which saves 7 % of an evaluation on a Zen 4.
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
  const std::size_t inputs = layout_.inputs();
  const bool floats = images.floats != nullptr;
  for (int p = 0; p * width_ < count; ++p) {
    float* input = scratch.input.get() + p * inputStride_;
    std::uint32_t index[widestPanel];
    for (int c = 0; c < width_; ++c) index[c] = static_cast<std::uint32_t>(first + std::min(p * width_ + c, count - 1));
    const NoisyInput from{.images = floats ? blackImage_.data() : images.bytes,
                          .inputs = inputs,
                          .imageStride = floats ? 0 : inputs,
                          .index = index,
                          .seed = noise.seed,
                          .purpose = noise.purpose,
                          .epoch = noise.epoch,
                          .deviation = noise.deviation};
    kernels_.fillInput(from, 0, static_cast<int>((inputs + 3) / 4), input);
    for (int c = 0; floats && c < width_; ++c) {
      const float* values = images.floats + index[c] * inputs;
      for (std::size_t i = 0; i < inputs; ++i) input[i * width_ + c] += values[i];
    }
  }
}

}  // namespace eigenae
