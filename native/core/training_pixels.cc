// The first and the last layer, forward and backward. A thread computes them for its own pixels.
#include <algorithm>

#include "prefetch.h"
#include "training_step.h"

namespace eigenae {

namespace {

// Number of images whose squared errors are summed in float before the sum is added in double.
constexpr int imagesPerFloatSum = 256;

}  // namespace

void TrainingStep::firstLayer(int thread, const Batch& batch) {
  const Range range = threadSlices(thread);
  for (int slice = range.begin; slice < range.end; ++slice) firstLayerSlice(thread, slice, batch);
}

void TrainingStep::firstLayerSlice(int thread, int slice, const Batch& batch) {
  const PanelledLayer& layer = parameters_.layer(0);
  const Range pixels = slicePixels(layout_.inputs(), slice, width_);
  const int count = pixels.end - pixels.begin;
  const float* weight = parameters_.values() + layer.weight + pixelPanels(pixels, layer.stride);
  LayerActivations& activations = layerActivations_[0];
  float* transposed = activations.transposed.get() + pixelPanels(pixels, rowsStride_);
  const auto [slot, add] = partialSumSlot(thread, slice);
  float* input = sliceBuffers_[thread].input.get();
  std::fill(input + count * width_, input + roundUp(count, width_) * width_, 0.0f);  // transpose reads whole squares
  fillTarget(pixels, batch);  // the last layer has other slices, but these pixels are in the cache now
  for (int p = 0; p < panels(batch); ++p) {
    fillInput(pixels, p, batch, input);
    kernels_.transpose(input, count, transposed + static_cast<std::size_t>(p) * width_ * width_, rowsStride_);
    kernels_.multiply(weight, layer.stride, layer.rows, count, factors_[thread].pack(input, 0, count).data, add,
                      partialSum(slot, p));
  }
}

// Called before an update, so that the bytes arrive while it runs. Prefetching into the nearest cache instead cost 12
// of 753 µs a step on a Zen 4.
void TrainingStep::prefetchImages(Range pixels, const Batch& batch) const {
  for (int i = 0; i < batch.count; ++i) {
    const std::uint8_t* image = batch.images->bytes + static_cast<std::size_t>(batch.index[i]) * layout_.inputs();
    prefetch(image + pixels.begin, pixels.end - pixels.begin);
  }
}

void TrainingStep::fillInput(Range pixels, int panel, const Batch& batch, float* input) const {
  const std::size_t inputs = layout_.inputs();
  if (batch.images == nullptr) {
    for (int c = 0; c < width_; ++c) {
      const float* image = batch.noisy + std::min(panel * width_ + c, batch.count - 1) * inputs;
      for (int i = pixels.begin; i < pixels.end; ++i) input[(i - pixels.begin) * width_ + c] = image[i];
    }
    return;
  }
  std::uint32_t index[widestPanel];
  for (int c = 0; c < width_; ++c) {  // the columns behind the last image repeat it and are never used
    index[c] = batch.index[std::min(panel * width_ + c, batch.count - 1)];
  }
  const NoisyInput from{.images = batch.images->bytes,
                        .inputs = inputs,
                        .imageStride = inputs,
                        .index = index,
                        .seed = batch.noise.seed,
                        .purpose = batch.noise.purpose,
                        .epoch = batch.noise.epoch,
                        .deviation = batch.noise.deviation};
  kernels_.fillInput(from, pixels.begin / 4, (pixels.end + 3) / 4, input);
}

void TrainingStep::fillTarget(Range pixels, const Batch& batch) {
  const std::size_t inputs = layout_.inputs();
  for (int begin = pixels.begin; begin < pixels.end; begin += width_) {
    const int count = std::min(width_, pixels.end - begin);
    float* target = target_.get() + begin / width_ * rowsStride_;
    if (batch.images != nullptr) {
      kernels_.readPixels(batch.images->bytes + begin, inputs, batch.index, batch.count, count, target);
      continue;
    }
    for (int i = 0; i < batch.count; ++i) std::copy_n(batch.clean + i * inputs + begin, count, target + i * width_);
  }
}

void TrainingStep::lastLayer(int thread, const Batch& batch) {
  const std::size_t last = layout_.layers.size() - 1;
  const PanelledLayer& layer = parameters_.layer(last);
  const LayerActivations& before = layerActivations_[last - 1];
  const Range range = threadSlices(thread);
  evaluateEigenLosses(thread, batch);
  const bool behindRelu = layout_.layers[last - 1].activation.kind == Activation::relu;
  imageRows_[thread].assumeDense();
  if (behindRelu) imageRows_[thread].list(lastFeatures_.get(), rowsStride_, batch.count, layer.rows);
  if (!hasSlices(thread)) return;
  unitRows_[thread].assumeDense();
  if (behindRelu) unitRows_[thread].list(before.output.get(), before.stride, layer.rows, batch.count);
  const int handicap = mainThreadHandicap(thread, batch);
  for (int slice = range.begin; slice < range.end; ++slice) {
    lastLayerSlice(thread, slice, slicePixels(layout_.inputs(), slice, width_, handicap), batch);
  }
}

void TrainingStep::lastLayerSlice(int thread, int slice, Range pixels, const Batch& batch) {
  const std::size_t last = layout_.layers.size() - 1;
  const int count = pixels.end - pixels.begin;
  lastLayerLinear(thread, pixels, batch);
  squaredErrors_[slice] = reconstructionLoss(thread, pixels, batch);
  lastLayerBackward(thread, slice, pixels, batch);

  const float* gradient = sliceBuffers_[thread].output.get();
  float* sums = scratch_[thread].get();
  kernels_.columnSums(gradient, rowsStride_, batch.count, count, sums);
  updates_.array(sums, count, parameters_.at(parameters_.layer(last).bias + pixels.begin), batch.update);
  updatePixelWeights(last, layerActivations_[last - 1].output.get(), layerActivations_[last - 1].stride, gradient,
                     thread, pixels, batch);
}

// Computes the last layer's linear outputs [images][pixels].
void TrainingStep::lastLayerLinear(int thread, Range pixels, const Batch& batch) {
  const std::size_t last = layout_.layers.size() - 1;
  const PanelledLayer& layer = parameters_.layer(last);
  const LayerActivations& before = layerActivations_[last - 1];
  const float* weight = parameters_.values() + layer.weight + pixelPanels(pixels, layer.stride);
  float* out = sliceBuffers_[thread].output.get();
  const int panels = countPanels(pixels);
  const SparseFactor& images = imageRows_[thread];
  if (images.fasterAsFactor()) {
    return kernels_.multiplySparse(images.matrix(), weight, layer.stride, panels, out, rowsStride_);
  }
  for (int p = 0; p < panels; ++p) {
    kernels_.multiplyTransposed(before.output.get(), before.stride, batch.count, layer.rows, weight + p * layer.stride,
                                out + p * rowsStride_);
  }
}

// Replaces the linear outputs by their gradient and returns the squared error.
double TrainingStep::reconstructionLoss(int thread, Range pixels, const Batch& batch) {
  const std::size_t last = layout_.layers.size() - 1;
  const float* bias = parameters_.values() + parameters_.layer(last).bias;
  const float scale = 2 / (static_cast<float>(batch.count) * static_cast<float>(layout_.inputs()));
  const float* target = target_.get() + pixelPanels(pixels, rowsStride_);
  float* output = sliceBuffers_[thread].output.get();
  double squaredError = 0;
  for (int begin = pixels.begin; begin < pixels.end; begin += width_, target += rowsStride_, output += rowsStride_) {
    for (int image = 0; image < batch.count; image += imagesPerFloatSum) {
      const std::size_t at = static_cast<std::size_t>(image) * width_;
      squaredError += kernels_.sigmoidLoss(target + at, bias + begin, std::min(imagesPerFloatSum, batch.count - image),
                                           std::min(width_, pixels.end - begin), scale, output + at);
    }
  }
  return squaredError;
}

// Computes the slice's partial sum of the gradient of the last layer's input: panels, or an array parallel to the
// elements of imageRows_.
void TrainingStep::lastLayerBackward(int thread, int slice, Range pixels, const Batch& batch) {
  const std::size_t last = layout_.layers.size() - 1;
  const PanelledLayer& layer = parameters_.layer(last);
  const float* weight = parameters_.values() + layer.weight + pixelPanels(pixels, layer.stride);
  const SliceBuffers& buffers = sliceBuffers_[thread];
  const float* rows = buffers.output.get();
  const auto [slot, add] = partialSumSlot(thread, slice);
  const SparseFactor& images = imageRows_[thread];
  if (images.fasterAsMask()) {
    return kernels_.multiplySampled(images.matrix(), rows, rowsStride_, weight, layer.stride, countPanels(pixels), add,
                                    partialSum(slot, 0));
  }
  for (int p = 0; p < countPanels(pixels); ++p) {
    kernels_.transpose(rows + p * rowsStride_, batch.count,
                       buffers.gradient.get() + static_cast<std::size_t>(p) * width_ * width_, buffers.gradientStride);
  }
  const int count = pixels.end - pixels.begin;
  for (int p = 0; p < panels(batch); ++p) {
    kernels_.multiply(weight, layer.stride, layer.rows, count,
                      factors_[thread].pack(buffers.gradient.get() + p * buffers.gradientStride, 0, count).data, add,
                      partialSum(slot, p));
  }
}

// Updates the weights of a range of pixels in the first or the last layer. Their gradient is left [units][images],
// whose nonzero elements unitRows_ may list, times right [images][pixels].
void TrainingStep::updatePixelWeights(std::size_t index, const float* left, std::size_t leftStride, const float* right,
                                      int thread, Range pixels, const Batch& batch) {
  const PanelledLayer& layer = parameters_.layer(index);
  const TrainedArrays weight = parameters_.at(layer.weight + pixelPanels(pixels, layer.stride));
  const int panels = countPanels(pixels);
  const SparseFactor& units = unitRows_[thread];
  if (units.fasterAsFactor()) {
    return updates_.weightsSparse(units.matrix(), right, rowsStride_, panels, weight, layer.stride, batch.update);
  }
  const PackedFactor factor = gradientFactors_[thread].pack(right, rowsStride_, batch.count, panels);
  updates_.weights(left, leftStride, layer.rows, batch.count, factor.data, factor.stride, pixels.end - pixels.begin,
                   weight, layer.stride, batch.update);
}

void TrainingStep::updateFirst(int thread, const Batch& batch, const Batch* next) {
  if (!hasSlices(thread)) return;
  const LayerActivations& activations = layerActivations_[0];
  const Layer& layer = layout_.layers[0];
  // The eigen losses' gradient is added behind ReLU and has no zeros.
  if (layer.activation.kind == Activation::relu && !layer.batchNorm && !hasEigenLoss(0, batch)) {
    unitRows_[thread].list(activations.gradient.get(), activations.stride, layer.outputs, batch.count);
  } else {
    unitRows_[thread].assumeDense();
  }
  const Range range = threadSlices(thread);
  for (int slice = range.begin; slice < range.end; ++slice) {
    const Range pixels = slicePixels(layout_.inputs(), slice, width_);
    if (next != nullptr && next->images != nullptr) prefetchImages(pixels, *next);
    updatePixelWeights(0, activations.gradient.get(), activations.stride,
                       activations.transposed.get() + pixelPanels(pixels, rowsStride_), thread, pixels, batch);
    if (next != nullptr) firstLayerSlice(thread, slice, *next);
  }
}

}  // namespace eigenae
