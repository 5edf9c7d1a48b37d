// What a member does for its pixels: the first layer and the last one, forward and back.
#include <algorithm>

#include "prefetch.h"
#include "training_step.h"

namespace eigenae {

namespace {

// So many images' squared errors are summed up in float.
constexpr int imagesInSum = 256;

}  // namespace

void TrainingStep::firstLayer(int member, const Batch& batch) {
  const Range range = memberSlices(member);
  for (int slice = range.begin; slice < range.end; ++slice) firstLayerSlice(member, slice, batch);
}

void TrainingStep::firstLayerSlice(int member, int slice, const Batch& batch) {
  const PanelledLayer& layer = parameters_.layer(0);
  const Range pixels = slicePixels(layout_.inputs(), slice, width_);
  const int count = pixels.end - pixels.begin;
  const float* weight = parameters_.values() + layer.weight + pixelPanels(pixels, layer.stride);
  Pass& pass = passes_[0];
  float* transposed = pass.transposed.get() + pixelPanels(pixels, rowsStride_);
  const auto [part, add] = partOf(member, slice);
  float* input = sliceRooms_[member].input.get();
  std::fill(input + count * width_, input + roundUp(count, width_) * width_, 0.0f);  // transposing reads whole squares
  fillTarget(pixels, batch);  // the last layer's slices are others, but now the images are at hand
  for (int p = 0; p < panels(batch); ++p) {
    fillInput(pixels, p, batch, input);
    kernels_.transpose(input, count, transposed + static_cast<std::size_t>(p) * width_ * width_, rowsStride_);
    kernels_.multiply(weight, layer.stride, layer.rows, count, factors_[member](input, 0, count).data, add,
                      partial(part, p));
  }
}

// The random numbers take longer than these bytes take to arrive, if they are asked for before the update. Fetched into
// the nearest cache instead, they cost 12 of 753 µs a step on a Zen 4.
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
  for (int c = 0; c < width_; ++c) {  // surplus columns repeat an image; nothing of theirs is used
    index[c] = batch.index[std::min(panel * width_ + c, batch.count - 1)];
  }
  const NoisyInput from{batch.images->bytes, inputs,
                        inputs,              index,
                        batch.noise.seed,    batch.noise.purpose,
                        batch.noise.epoch,   batch.noise.deviation};
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

void TrainingStep::lastLayer(int member, const Batch& batch) {
  const std::size_t last = layout_.layers.size() - 1;
  const PanelledLayer& layer = parameters_.layer(last);
  const Pass& before = passes_[last - 1];
  const Range range = memberSlices(member);
  const bool hasSlice0 = range.begin == 0 && hasSlices(member);
  if (hasSlice0 && eigenLoss_.applies(batch.count)) {
    const Pass& codes = passes_[layout_.bottleneck];
    eigenLoss_.evaluate(codes.output.get(), codes.stride, batch.count);
  }
  const bool rectified = layout_.layers[last - 1].activation == Activation::relu;
  imageRows_[member].listNothing();
  if (rectified) imageRows_[member].list(lastFeatures_.get(), rowsStride_, batch.count, layer.rows);
  if (!hasSlices(member)) return;
  unitRows_[member].listNothing();
  if (rectified) unitRows_[member].list(before.output.get(), before.stride, layer.rows, batch.count);
  const int relieved = relief(member, batch);
  for (int slice = range.begin; slice < range.end; ++slice) {
    lastLayerSlice(member, slice, slicePixels(layout_.inputs(), slice, width_, relieved), batch);
  }
}

// How many pixels of the last layer take as long as the eigen losses, see slicePixels. Of a pixel's time not all is products:
// Adam takes that of 13 images, sigmoid and loss that of 16 units.
int TrainingStep::relief(int member, const Batch& batch) const {
  if (!eigenLoss_.applies(batch.count)) return 0;
  const Layer& layer = layout_.layers.back();
  const SparseFactor& images = imageRows_[member];
  const double products = 2 * images.timeAsFactor() + images.timeWhereListed();
  const double timeOfPixel = products * batch.count * layer.inputs + 16 * batch.count + 13 * layer.inputs;
  return static_cast<int>(std::min<double>(layer.outputs, eigenLoss_.timeInProducts(batch.count) / timeOfPixel));
}

void TrainingStep::lastLayerSlice(int member, int slice, Range pixels, const Batch& batch) {
  const std::size_t last = layout_.layers.size() - 1;
  const int count = pixels.end - pixels.begin;
  lastLayerLinear(member, pixels, batch);
  squaredErrors_[slice] = reconstructionLoss(member, pixels, batch);
  lastLayerBackward(member, slice, pixels, batch);

  const float* gradient = sliceRooms_[member].output.get();
  float* sums = scratch_[member].get();
  kernels_.columnSums(gradient, rowsStride_, batch.count, count, sums);
  kernels_.trainArray(sums, count, parameters_.at(parameters_.layer(last).bias + pixels.begin), batch.adam);
  trainPixels(last, passes_[last - 1].output.get(), passes_[last - 1].stride, gradient, member, pixels, batch);
}

// The last layer's linear outputs, with a row an image.
void TrainingStep::lastLayerLinear(int member, Range pixels, const Batch& batch) {
  const std::size_t last = layout_.layers.size() - 1;
  const PanelledLayer& layer = parameters_.layer(last);
  const Pass& before = passes_[last - 1];
  const float* weight = parameters_.values() + layer.weight + pixelPanels(pixels, layer.stride);
  float* out = sliceRooms_[member].output.get();
  const int panels = countPanels(pixels);
  const SparseFactor& images = imageRows_[member];
  if (images.savesAsFactor()) {
    return kernels_.multiplySparse(images.matrix(), weight, layer.stride, panels, out, rowsStride_);
  }
  for (int p = 0; p < panels; ++p) {
    kernels_.multiplyTransposed(before.output.get(), before.stride, batch.count, layer.rows, weight + p * layer.stride,
                                out + p * rowsStride_);
  }
}

// Makes of the linear outputs their gradient and returns the squared error.
double TrainingStep::reconstructionLoss(int member, Range pixels, const Batch& batch) {
  const std::size_t last = layout_.layers.size() - 1;
  const float* bias = parameters_.values() + parameters_.layer(last).bias;
  const float scale = 2 / (static_cast<float>(batch.count) * static_cast<float>(layout_.inputs()));
  const float* target = target_.get() + pixelPanels(pixels, rowsStride_);
  float* output = sliceRooms_[member].output.get();
  double squaredError = 0;
  for (int begin = pixels.begin; begin < pixels.end; begin += width_, target += rowsStride_, output += rowsStride_) {
    for (int image = 0; image < batch.count; image += imagesInSum) {
      const std::size_t at = static_cast<std::size_t>(image) * width_;
      squaredError += kernels_.sigmoidLoss(target + at, bias + begin, std::min(imagesInSum, batch.count - image),
                                           std::min(width_, pixels.end - begin), scale, output + at);
    }
  }
  return squaredError;
}

// The slice's part of the gradient of what the last layer reads: panels, or an array as imageRows_ lists it.
void TrainingStep::lastLayerBackward(int member, int slice, Range pixels, const Batch& batch) {
  const std::size_t last = layout_.layers.size() - 1;
  const PanelledLayer& layer = parameters_.layer(last);
  const float* weight = parameters_.values() + layer.weight + pixelPanels(pixels, layer.stride);
  const SliceRoom& room = sliceRooms_[member];
  const float* rows = room.output.get();
  const auto [part, add] = partOf(member, slice);
  const SparseFactor& images = imageRows_[member];
  if (images.savesWhereListed()) {
    return kernels_.multiplyWhereListed(images.matrix(), rows, rowsStride_, weight, layer.stride, countPanels(pixels),
                                        add, partial(part, 0));
  }
  for (int p = 0; p < countPanels(pixels); ++p) {
    kernels_.transpose(rows + p * rowsStride_, batch.count,
                       room.gradient.get() + static_cast<std::size_t>(p) * width_ * width_, room.gradientStride);
  }
  const int count = pixels.end - pixels.begin;
  for (int p = 0; p < panels(batch); ++p) {
    kernels_.multiply(weight, layer.stride, layer.rows, count,
                      factors_[member](room.gradient.get() + p * room.gradientStride, 0, count).data, add,
                      partial(part, p));
  }
}

// The update of some pixels' weights in the first or the last layer. Their gradient is left [units][images], which
// unitRows_ lists, times the layer's transposed operand [images][pixels].
void TrainingStep::trainPixels(std::size_t index, const float* left, std::size_t leftStride, const float* right,
                               int member, Range pixels, const Batch& batch) {
  const PanelledLayer& layer = parameters_.layer(index);
  const Trained weight = parameters_.at(layer.weight + pixelPanels(pixels, layer.stride));
  const int panels = countPanels(pixels);
  const SparseFactor& units = unitRows_[member];
  if (units.savesAsFactor()) {
    return kernels_.trainWeightsSparse(units.matrix(), right, rowsStride_, panels, weight, layer.stride, batch.adam);
  }
  const PreparedFactor factor = gradientFactors_[member](right, rowsStride_, batch.count, panels);
  kernels_.trainWeights(left, leftStride, layer.rows, batch.count, factor.data, factor.stride,
                        pixels.end - pixels.begin, weight, layer.stride, batch.adam);
}

void TrainingStep::trainFirst(int member, const Batch& batch, const Batch* next) {
  if (!hasSlices(member)) return;
  const Pass& pass = passes_[0];
  const Layer& layer = layout_.layers[0];
  if (layer.activation == Activation::relu && !layer.batchNorm) {
    unitRows_[member].list(pass.gradient.get(), pass.stride, layer.outputs, batch.count);
  } else {
    unitRows_[member].listNothing();
  }
  const Range range = memberSlices(member);
  for (int slice = range.begin; slice < range.end; ++slice) {
    const Range pixels = slicePixels(layout_.inputs(), slice, width_);
    if (next != nullptr && next->images != nullptr) prefetchImages(pixels, *next);
    trainPixels(0, pass.gradient.get(), pass.stride, pass.transposed.get() + pixelPanels(pixels, rowsStride_), member,
                pixels, batch);
    if (next != nullptr) firstLayerSlice(member, slice, *next);
  }
}

}  // namespace eigenae
