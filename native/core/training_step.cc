#include "training_step.h"

#include <algorithm>
#include <cmath>

#include "optimizer_step.h"

namespace eigenae {

namespace {

constexpr float normMomentum = 0.1f;

static_assert(PartialSums::maximalSums == slices && PartialSums::maximalGroups == slices / slicesInGroup,
              "a part for each slice");

}  // namespace

TrainingStep::TrainingStep(const TrainerSpec& spec, const Layout& layout, const Kernels& kernels,
                           Parameters& parameters, RunningStatistics& runningStatistics, Team& team,
                           const CallControl& control)
    : layout_(layout),
      kernels_(kernels),
      updates_(kernels.updatesOf(optimizerOf(spec), spec.averaging.has_value())),
      width_(kernels.panelColumns),
      parameters_(parameters),
      runningStatistics_(runningStatistics),
      team_(team),
      eigenLosses_(spec, layout, kernels, control),
      latentShiftGradient_(layout.latent()) {
  const std::size_t images = roundUp(spec.batchSize, width_), panels = images / width_;
  rowsStride_ = images * width_;
  int widest = 0;
  for (std::size_t i = 0; i < layout.layers.size(); ++i) {
    const Layer& layer = layout.layers[i];
    widest = std::max(widest, layer.outputs);
    if (i + 1 == layout.layers.size()) break;
    LayerActivations activations;
    activations.stride = roundUp(layer.outputs, width_) * width_;  // transposing reads whole squares
    activations.gradient = alignedFloats(panels * activations.stride);
    activations.output = alignedFloats(panels * activations.stride);
    activations.transposed = alignedFloats(roundUp(parameters.layer(i).columns, width_) * images);
    const bool silu = layer.activation.kind == Activation::silu;
    const bool hiddenEigenLoss = !eigenLosses_.layer(i).empty() && i != layout.latentLayer;
    if (hiddenEigenLoss || (silu && !layer.batchNorm)) {
      activations.linear = alignedFloats(panels * activations.stride);
    }
    if (silu && layer.batchNorm) activations.scaled = alignedFloats(panels * activations.stride);
    if (hiddenEigenLoss || layer.batchNorm) {
      for (AlignedFloats& sums : activations.sums) sums = alignedFloats(panels * layer.outputs);
    }
    if (layer.batchNorm) {
      activations.normalised = alignedFloats(panels * activations.stride);
      for (int thread = 0; thread < team.size(); ++thread) activations.inverse.push_back(alignedFloats(layer.outputs));
    }
    layerActivations_.push_back(std::move(activations));
  }
  const int firstOutputs = layout.layers.front().outputs;  // as many as the last layer has inputs
  target_ = alignedFloats(roundUp(layout.inputs(), width_) * images);
  lastFeatures_ = alignedFloats(roundUp(firstOutputs, width_) * images);
  partialSumPanelStride_ = roundUp(firstOutputs, width_) * width_;
  partialSumSliceStride_ = panels * partialSumPanelStride_;
  partialSums_ = alignedFloats(slices * partialSumSliceStride_);
  for (int thread = 0; thread < team.size(); ++thread) {
    const std::size_t firstSlice = largestSlice(layout.inputs(), width_);
    const std::size_t lastSlice = largestSlice(layout.inputs(), width_, layout.inputs());
    sliceBuffers_.emplace_back();
    if (hasSlices(thread)) {
      sliceBuffers_.back() = {alignedFloats(firstSlice * width_), alignedFloats(lastSlice * images),
                              alignedFloats(lastSlice * images), lastSlice * width_};
    }
    scratch_.push_back(alignedFloats(3 * widest));
    imageRows_.emplace_back(kernels, spec.batchSize, firstOutputs);
    unitRows_.emplace_back(kernels, hasSlices(thread) ? firstOutputs : 0, spec.batchSize);
    factors_.emplace_back(kernels);
    gradientFactors_.emplace_back(kernels);
    for (std::size_t i = 0; i < layout.layers.size(); ++i) {
      const PanelledLayer& layer = parameters.layer(i);
      factors_[thread].reserve(layer.columns, 1);
      gradientFactors_[thread].reserve(static_cast<int>(images), (layer.columns + width_ - 1) / width_);
    }
  }
}

int TrainingStep::validColumns(const Batch& batch, int panel) const {
  return std::min(width_, batch.count - panel * width_);
}

float* TrainingStep::partialSum(int slice, int panel) const {
  return partialSums_.get() + slice * partialSumSliceStride_ + panel * partialSumPanelStride_;
}

TrainingStep::PartialSumSlot TrainingStep::partialSumSlot(int thread, int slice) const {
  const bool adds = joinsGroupSum(slice, threadSlices(thread).begin);
  return {adds ? slice - slice % slicesInGroup : slice, adds};
}

PartialSums TrainingStep::partialSums(int panel) const {
  PartialSums sums{};
  int count = 0;
  for (int thread = 0; thread < team_.size(); ++thread) {
    const Range range = threadSlices(thread);
    for (int slice = range.begin; slice < range.end; ++slice) {
      if (joinsGroupSum(slice, range.begin)) continue;
      sums.sums[count++] = partialSum(slice, panel);
      ++sums.counts[slice / slicesInGroup];
    }
  }
  sums.groups = slices / slicesInGroup;
  return sums;
}

void TrainingStep::middleForward(int thread, const Batch& batch) {
  const Range range = threadPanels(thread, batch);
  for (std::size_t i = 0; i + 1 < layout_.layers.size(); ++i) {
    const PanelledLayer& layer = parameters_.layer(i);
    const float* weight = parameters_.values() + layer.weight;
    LayerActivations& activations = layerActivations_[i];
    float* linear = layout_.layers[i].batchNorm ? activations.normalised.get() : activations.output.get();
    for (int p = range.begin; p < range.end; ++p) {
      float* out = linear + p * activations.stride;
      if (i == 0) {
        kernels_.addPartialSums(partialSums(p), layer.rows, out);
        continue;
      }
      const float* in = layerActivations_[i - 1].output.get() + p * layerActivations_[i - 1].stride;
      if (layer.transposed) {
        kernels_.multiplyTransposed(weight, layer.stride, layer.columns, layer.rows, in, out);
      } else {
        kernels_.multiply(weight, layer.stride, layer.rows, layer.columns,
                          factors_[thread].pack(in, 0, layer.columns).data, false, out);
      }
    }
    activate(i, thread, batch);
    if (i < layout_.latentLayer) continue;
    const bool beforeLast = i + 2 == layout_.layers.size();
    float* transposed = beforeLast ? lastFeatures_.get() : layerActivations_[i + 1].transposed.get();
    for (int p = range.begin; p < range.end; ++p) {
      kernels_.transpose(activations.output.get() + p * activations.stride, layout_.layers[i].outputs,
                         transposed + static_cast<std::size_t>(p) * width_ * width_, rowsStride_);
    }
  }
}

void TrainingStep::activate(std::size_t index, int thread, const Batch& batch) {
  LayerActivations& activations = layerActivations_[index];
  if (layout_.layers[index].batchNorm) {
    if (activations.linear != nullptr) keepLinear(index, thread, batch);
    return normalise(index, thread, batch);
  }
  const Range range = threadPanels(thread, batch);
  for (int p = range.begin; p < range.end; ++p) {
    const std::size_t at = p * activations.stride;
    kernels_.addBias(parameters_.values() + parameters_.layer(index).bias, layout_.layers[index].outputs,
                     layout_.layers[index].activation, activations.output.get() + at,
                     activations.linear == nullptr ? nullptr : activations.linear.get() + at);
  }
}

// Copies the linear map's output before batch norm replaces it.
void TrainingStep::keepLinear(std::size_t index, int thread, const Batch& batch) {
  LayerActivations& activations = layerActivations_[index];
  const Range range = threadPanels(thread, batch);
  for (int p = range.begin; p < range.end; ++p) {
    float* linear = activations.linear.get() + p * activations.stride;
    std::copy_n(activations.normalised.get() + p * activations.stride, activations.stride, linear);
    kernels_.addBias(parameters_.values() + parameters_.layer(index).bias, layout_.layers[index].outputs, {}, linear,
                     nullptr);
  }
}

// The bias is not added, because subtracting the mean would remove it again. Only the running mean includes it.
void TrainingStep::normalise(std::size_t index, int thread, const Batch& batch) {
  const Layer& layer = layout_.layers[index];
  const PanelledLayer& places = parameters_.layer(index);
  LayerActivations& activations = layerActivations_[index];
  const Range range = threadPanels(thread, batch);
  const int outputs = layer.outputs;
  for (int p = range.begin; p < range.end; ++p) {
    kernels_.moments(activations.normalised.get() + p * activations.stride, outputs, validColumns(batch, p),
                     activations.sums[0].get() + p * outputs, activations.sums[1].get() + p * outputs);
  }
  team_.wait(thread);

  float* mean = scratch_[thread].get();
  float* squares = mean + outputs;
  float* inverse = activations.inverse[thread].get();
  std::fill_n(mean, 2 * outputs, 0.0f);
  for (int p = 0; p < panels(batch); ++p) {
    const float share = static_cast<float>(validColumns(batch, p)) / static_cast<float>(batch.count);
    for (int i = 0; i < outputs; ++i) mean[i] += share * activations.sums[0][p * outputs + i];
  }
  for (int p = 0; p < panels(batch); ++p) {
    const float images = static_cast<float>(validColumns(batch, p));
    for (int i = 0; i < outputs; ++i) {
      const float shift = activations.sums[0][p * outputs + i] - mean[i];
      squares[i] += activations.sums[1][p * outputs + i] + images * shift * shift;
    }
  }
  const float count = static_cast<float>(batch.count);
  for (int i = 0; i < outputs; ++i) inverse[i] = 1 / std::sqrt(squares[i] / count + normEpsilon);

  for (int p = range.begin; p < range.end; ++p) {
    const std::size_t at = p * activations.stride;
    kernels_.normalise(mean, inverse, parameters_.values() + places.gamma, parameters_.values() + places.beta, outputs,
                       layer.activation, activations.normalised.get() + at,
                       activations.scaled == nullptr ? nullptr : activations.scaled.get() + at,
                       activations.output.get() + at);
  }
  if (thread != 0 || batch.count == 1) return;
  const float* bias = parameters_.values() + places.bias;
  float* runningMean = runningStatistics_.values.data() + layer.runningMean;
  float* runningVariance = runningStatistics_.values.data() + layer.runningVariance;
  for (int i = 0; i < outputs; ++i) {
    runningMean[i] += normMomentum * (mean[i] + bias[i] - runningMean[i]);
    runningVariance[i] += normMomentum * (squares[i] / (count - 1) - runningVariance[i]);
  }
}

void TrainingStep::averageStatistics(const Batch& batch) {
  auto& [values, averages] = runningStatistics_;
  const float share = batch.update.averageShare;
  for (std::size_t i = 0; i < averages.size(); ++i) averages[i] += (values[i] - averages[i]) * share;
}

}  // namespace eigenae
