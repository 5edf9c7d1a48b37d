// Back-propagation through the layers between the first and the last, and their updates.
#include <algorithm>

#include "training_step.h"

namespace eigenae {

// Packs the right factor of the gradient of a layer's weights.
PackedFactor TrainingStep::packGradientFactor(std::size_t index, int thread, const Batch& batch) {
  const LayerActivations& activations = layerActivations_[index];
  const int panels = (parameters_.layer(index).columns + width_ - 1) / width_;
  return gradientFactors_[thread].pack(activations.transposed.get(), rowsStride_, batch.count, panels);
}

void TrainingStep::middleBackward(int thread, const Batch& batch) {
  const Range range = threadPanels(thread, batch);
  const std::size_t first = layout_.layers.size() - 2;
  if (thread == 0) sumLatentShiftGradient(batch);
  for (int p = range.begin; p < range.end; ++p) {
    float* gradient = layerActivations_[first].gradient.get() + p * layerActivations_[first].stride;
    if (imageRows_[thread].fasterAsMask()) {
      kernels_.scatterPartialSums(imageRows_[thread].matrix(), partialSums(0), p * width_, gradient);
    } else {
      kernels_.addPartialSums(partialSums(p), layout_.layers[first].outputs, gradient);
    }
  }
  for (std::size_t i = first + 1; i-- > 0;) {
    const PanelledLayer& layer = parameters_.layer(i);
    const float* weight = parameters_.values() + layer.weight;
    LayerActivations& activations = layerActivations_[i];
    activateBackward(i, thread, batch);
    for (int p = range.begin; p < range.end; ++p) {
      const float* gradient = activations.gradient.get() + p * activations.stride;
      if (layer.transposed) {
        kernels_.transpose(gradient, layer.columns,
                           activations.transposed.get() + static_cast<std::size_t>(p) * width_ * width_, rowsStride_);
      }
      if (i == 0) continue;
      float* out = layerActivations_[i - 1].gradient.get() + p * layerActivations_[i - 1].stride;
      if (layer.transposed) {
        kernels_.multiply(weight, layer.stride, layer.rows, layer.columns,
                          factors_[thread].pack(gradient, 0, layer.columns).data, false, out);
      } else {
        kernels_.multiplyTransposed(weight, layer.stride, layer.columns, layer.rows, gradient, out);
      }
    }
  }
}

void TrainingStep::activateBackward(std::size_t index, int thread, const Batch& batch) {
  const Range range = threadPanels(thread, batch);
  LayerActivations& activations = layerActivations_[index];
  if (index == layout_.latentLayer) addEigenLossGradient(index, thread, batch);
  for (int p = range.begin; p < range.end; ++p) {
    const std::size_t at = p * activations.stride;
    const float* inputs = layout_.layers[index].batchNorm ? activations.scaled.get() : activations.linear.get();
    kernels_.activateBackward(layout_.layers[index].activation, inputs == nullptr ? nullptr : inputs + at,
                              activations.output.get() + at, layout_.layers[index].outputs,
                              activations.gradient.get() + at);
  }
  if (layout_.layers[index].batchNorm) normaliseBackward(index, thread, batch);
  if (index != layout_.latentLayer) addEigenLossGradient(index, thread, batch);
}

void TrainingStep::normaliseBackward(std::size_t index, int thread, const Batch& batch) {
  LayerActivations& activations = layerActivations_[index];
  const Range range = threadPanels(thread, batch);
  const int outputs = layout_.layers[index].outputs;
  for (int p = range.begin; p < range.end; ++p) {
    kernels_.normaliseSums(activations.gradient.get() + p * activations.stride,
                           activations.normalised.get() + p * activations.stride, outputs, validColumns(batch, p),
                           activations.sums[0].get() + p * outputs, activations.sums[1].get() + p * outputs);
  }
  team_.wait(thread);

  float* mean = scratch_[thread].get();
  float* projection = mean + outputs;
  float* scale = projection + outputs;
  const float* gamma = parameters_.values() + parameters_.layer(index).gamma;
  std::fill_n(mean, 2 * outputs, 0.0f);
  for (int p = 0; p < panels(batch); ++p) {
    for (int i = 0; i < outputs; ++i) {
      mean[i] += activations.sums[0][p * outputs + i];
      projection[i] += activations.sums[1][p * outputs + i];
    }
  }
  for (int i = 0; i < outputs; ++i) {
    mean[i] /= static_cast<float>(batch.count);
    projection[i] /= static_cast<float>(batch.count);
    scale[i] = gamma[i] * activations.inverse[thread][i];
  }
  for (int p = range.begin; p < range.end; ++p) {
    kernels_.normaliseBackward(activations.normalised.get() + p * activations.stride, scale, mean, projection, outputs,
                               activations.gradient.get() + p * activations.stride);
  }
}

// The rows of all these weights, one layer after the other, are divided among the threads. A thread so gets whole
// layers as far as possible, and only it has to fetch their factors from the other cores. Thread 0 gets the last rows:
// an epoch of two threads took 2.5 % less time than in the opposite order.
Range TrainingStep::threadRows(std::size_t index, int thread) const {
  std::int64_t before = 0, all = 0;
  for (std::size_t i = 1; i + 1 < layout_.layers.size(); ++i) {
    const PanelledLayer& layer = parameters_.layer(i);
    const std::int64_t size = std::int64_t{layer.rows} * layer.columns;
    if (i < index) before += size;
    all += size;
  }
  const PanelledLayer& layer = parameters_.layer(index);
  const auto bound = [&](int end) {
    const std::int64_t weights = all * end / team_.size() - before;
    return static_cast<int>(std::clamp<std::int64_t>(weights / layer.columns, 0, layer.rows));
  };
  const int reversed = team_.size() - 1 - thread;
  return {bound(reversed), bound(reversed + 1)};
}

// Stores every cache line of the weights unchanged. The other threads have read these weights, and a core needs
// exclusive ownership of a line before it can write to it. This requests all lines at once instead of one after the
// other between the products. A step of two threads took 500 instead of 524 µs on two cores of a Zen 4 that share no
// cache, and still 380 on two that do.
void TrainingStep::claimWeights(const PanelledLayer& layer, Range rows) const {
  constexpr std::ptrdiff_t cacheLine = 64 / sizeof(float);
  for (int column = 0; column < layer.columns; column += width_) {
    float* panel = parameters_.at(layer.weight).parameters + column / width_ * layer.stride;
    volatile float* const end = panel + rows.end * width_;
    for (volatile float* line = panel + rows.begin * width_; line < end; line += cacheLine) *line = *line;
  }
}

// Goes from the last layer to the first, so that the gradients that middleBackward wrote most recently, which are still
// in another core's nearest cache, are fetched last.
void TrainingStep::updateMiddle(int thread, const Batch& batch) {
  const std::size_t layers = layout_.layers.size() - 1;
  for (std::size_t i = layers; i-- > 1;) {
    const PanelledLayer& layer = parameters_.layer(i);
    const LayerActivations& activations = layerActivations_[i];
    const Range rows = threadRows(i, thread);
    if (rows.begin == rows.end) continue;
    const std::size_t row = static_cast<std::size_t>(rows.begin) * width_;
    if (team_.size() > 1) claimWeights(layer, rows);
    const PackedFactor factor = packGradientFactor(i, thread, batch);
    const float* left = layer.transposed ? layerActivations_[i - 1].output.get() : activations.gradient.get();
    updates_.weights(left + row, layer.transposed ? layerActivations_[i - 1].stride : activations.stride,
                     rows.end - rows.begin, batch.count, factor.data, factor.stride, layer.columns,
                     parameters_.at(layer.weight + row), layer.stride, batch.update);
  }
  const Range mine = share(static_cast<int>(layers), thread, team_.size());
  for (int i = mine.begin; i < mine.end; ++i) updateVectors(i, batch);
}

// Updates a layer's bias and, with batch norm, its gamma and beta. The gradient of a bias before batch norm is 0,
// because the mean removes the bias. So is that of the latent layer's beta, or of its bias without batch norm, if the
// next layer has batch norm. In these cases the eigen losses' part is left.
void TrainingStep::updateVectors(std::size_t index, const Batch& batch) {
  const Layer& layer = layout_.layers[index];
  const PanelledLayer& places = parameters_.layer(index);
  const LayerActivations& activations = layerActivations_[index];
  const bool hiddenEigenLoss = index != layout_.latentLayer && hasEigenLoss(index, batch);
  const bool isRemoved = layout_.meanIsRemoved(index);
  float sums[2][64];
  for (int begin = 0; begin < layer.outputs; begin += 64) {
    const int some = std::min(64, layer.outputs - begin);
    const Range units{begin, begin + some};
    const auto update = [&](const float* gradient, std::size_t place) {
      updates_.array(gradient, some, parameters_.at(place + begin), batch.update);
    };
    if (layer.batchNorm) {
      std::fill_n(sums[0], some, 0.0f);
    } else if (isRemoved) {
      std::copy_n(&latentShiftGradient_[begin], some, sums[0]);
    } else if (hiddenEigenLoss) {
      sumPanels(activations.sums[0], index, units, batch, sums[0]);
    } else {
      sumGradients(index, units, batch.count, sums[0]);
    }
    if (hiddenEigenLoss) eigenLosses_.layer(index).addGradientSums(units, batch.count, batch.weights, sums[0]);
    update(sums[0], places.bias);
    if (!layer.batchNorm) continue;
    for (int k = 0; k < 2; ++k) sumPanels(activations.sums[k], index, units, batch, sums[k]);
    if (isRemoved) std::copy_n(&latentShiftGradient_[begin], some, sums[0]);
    update(sums[0], places.beta);
    update(sums[1], places.gamma);
  }
}

// Adds up a layer's sums over the images of each panel.
void TrainingStep::sumPanels(const AlignedFloats& panelSums, std::size_t index, Range outputs, const Batch& batch,
                             float* sums) const {
  const int all = layout_.layers[index].outputs, some = outputs.end - outputs.begin;
  std::fill_n(sums, some, 0.0f);
  for (int p = 0; p < panels(batch); ++p) {
    for (int i = 0; i < some; ++i) sums[i] += panelSums[p * all + outputs.begin + i];
  }
}

// Sums a layer's gradient over the batch, from the copy that the weights' update reads. outputs.begin is the first
// column of a panel.
void TrainingStep::sumGradients(std::size_t index, Range outputs, int count, float* sums) const {
  const LayerActivations& activations = layerActivations_[index];
  const int some = outputs.end - outputs.begin;
  if (parameters_.layer(index).transposed) {
    kernels_.columnSums(activations.transposed.get() + outputs.begin / width_ * rowsStride_, rowsStride_, count, some,
                        sums);
  } else {
    kernels_.rowSums(activations.gradient.get() + outputs.begin * width_, activations.stride, some, count, sums);
  }
}

void TrainingStep::addLosses(const Batch& batch, Losses& losses) const {
  double sum = 0;
  for (const double squaredError : squaredErrors_) sum += squaredError;
  losses.squaredError += sum / layout_.inputs();
  losses.images += batch.count;
  eigenLosses_.addLosses(batch.count, batch.weights, losses);
}

}  // namespace eigenae
