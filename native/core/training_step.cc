#include "training_step.h"

#include <algorithm>
#include <cmath>

namespace eigenae {

namespace {

constexpr float normMomentum = 0.1f;

static_assert(Parts::maximalParts == slices && Parts::maximalGroups == slices / slicesInGroup, "a part for each slice");

}  // namespace

TrainingStep::TrainingStep(const TrainerSpec& spec, const Layout& layout, const Kernels& kernels,
                           Parameters& parameters, std::vector<float>& runningStatistics, Team& team,
                           const CallControl& control)
    : layout_(layout),
      kernels_(kernels),
      width_(kernels.panelColumns),
      parameters_(parameters),
      runningStatistics_(runningStatistics),
      team_(team),
      eigenLoss_(spec, layout, kernels, control) {
  const std::size_t images = roundUp(spec.batchSize, width_), panels = images / width_;
  rowsStride_ = images * width_;
  int widest = 0;
  for (std::size_t i = 0; i < layout.layers.size(); ++i) {
    const Layer& layer = layout.layers[i];
    widest = std::max(widest, layer.outputs);
    if (i + 1 == layout.layers.size()) break;
    Pass pass;
    pass.stride = roundUp(layer.outputs, width_) * width_;  // transposing reads whole squares
    pass.gradient = alignedFloats(panels * pass.stride);
    pass.output = alignedFloats(panels * pass.stride);
    pass.transposed = alignedFloats(roundUp(parameters.layer(i).columns, width_) * images);
    if (layer.batchNorm) {
      pass.normalised = alignedFloats(panels * pass.stride);
      for (AlignedFloats& sums : pass.sums) sums = alignedFloats(panels * layer.outputs);
      for (int member = 0; member < team.size(); ++member) pass.inverse.push_back(alignedFloats(layer.outputs));
    }
    passes_.push_back(std::move(pass));
  }
  const int firstOutputs = layout.layers.front().outputs;  // as many as the last layer has inputs
  target_ = alignedFloats(roundUp(layout.inputs(), width_) * images);
  lastFeatures_ = alignedFloats(roundUp(firstOutputs, width_) * images);
  partialPanel_ = roundUp(firstOutputs, width_) * width_;
  partialStride_ = panels * partialPanel_;
  partials_ = alignedFloats(slices * partialStride_);
  for (int member = 0; member < team.size(); ++member) {
    const std::size_t firstSlice = largestSlice(layout.inputs(), width_);
    const std::size_t lastSlice = largestSlice(layout.inputs(), width_, layout.inputs());
    sliceRooms_.emplace_back();
    if (hasSlices(member)) {
      sliceRooms_.back() = {alignedFloats(firstSlice * width_), alignedFloats(lastSlice * images),
                            alignedFloats(lastSlice * images), lastSlice * width_};
    }
    scratch_.push_back(alignedFloats(3 * widest));
    imageRows_.emplace_back(kernels, spec.batchSize, firstOutputs);
    unitRows_.emplace_back(kernels, hasSlices(member) ? firstOutputs : 0, spec.batchSize);
    factors_.emplace_back(kernels);
    gradientFactors_.emplace_back(kernels);
    for (std::size_t i = 0; i < layout.layers.size(); ++i) {
      const PanelledLayer& layer = parameters.layer(i);
      factors_[member].reserve(layer.columns, 1);
      gradientFactors_[member].reserve(static_cast<int>(images), (layer.columns + width_ - 1) / width_);
    }
  }
}

int TrainingStep::validColumns(const Batch& batch, int panel) const {
  return std::min(width_, batch.count - panel * width_);
}

float* TrainingStep::partial(int slice, int panel) const {
  return partials_.get() + slice * partialStride_ + panel * partialPanel_;
}

TrainingStep::Part TrainingStep::partOf(int member, int slice) const {
  const bool adds = addsToGroup(slice, memberSlices(member).begin);
  return {adds ? slice - slice % slicesInGroup : slice, adds};
}

Parts TrainingStep::parts(int panel) const {
  Parts parts{};
  int count = 0;
  for (int member = 0; member < team_.size(); ++member) {
    const Range range = memberSlices(member);
    for (int slice = range.begin; slice < range.end; ++slice) {
      if (addsToGroup(slice, range.begin)) continue;
      parts.parts[count++] = partial(slice, panel);
      ++parts.counts[slice / slicesInGroup];
    }
  }
  parts.groups = slices / slicesInGroup;
  return parts;
}

void TrainingStep::middleForward(int member, const Batch& batch) {
  const Range range = memberPanels(member, batch);
  for (std::size_t i = 0; i + 1 < layout_.layers.size(); ++i) {
    const PanelledLayer& layer = parameters_.layer(i);
    const float* weight = parameters_.values() + layer.weight;
    Pass& pass = passes_[i];
    float* linear = layout_.layers[i].batchNorm ? pass.normalised.get() : pass.output.get();
    for (int p = range.begin; p < range.end; ++p) {
      float* out = linear + p * pass.stride;
      if (i == 0) {
        kernels_.sumParts(parts(p), layer.rows, out);
        continue;
      }
      const float* in = passes_[i - 1].output.get() + p * passes_[i - 1].stride;
      if (layer.transposed) {
        kernels_.multiplyTransposed(weight, layer.stride, layer.columns, layer.rows, in, out);
      } else {
        kernels_.multiply(weight, layer.stride, layer.rows, layer.columns,
                          factors_[member](in, 0, layer.columns).data, false, out);
      }
    }
    activate(i, member, batch);
    if (i < layout_.bottleneck) continue;
    const bool beforeLast = i + 2 == layout_.layers.size();
    float* transposed = beforeLast ? lastFeatures_.get() : passes_[i + 1].transposed.get();
    for (int p = range.begin; p < range.end; ++p) {
      kernels_.transpose(pass.output.get() + p * pass.stride, layout_.layers[i].outputs,
                         transposed + static_cast<std::size_t>(p) * width_ * width_, rowsStride_);
    }
  }
}

void TrainingStep::activate(std::size_t index, int member, const Batch& batch) {
  if (layout_.layers[index].batchNorm) return normalise(index, member, batch);
  const Range range = memberPanels(member, batch);
  for (int p = range.begin; p < range.end; ++p) {
    float* values = passes_[index].output.get() + p * passes_[index].stride;
    kernels_.addBias(parameters_.values() + parameters_.layer(index).bias, layout_.layers[index].outputs,
                     layout_.layers[index].activation == Activation::relu, values);
  }
}

// The bias is left out: the mean takes it away again. Only the running mean has it.
void TrainingStep::normalise(std::size_t index, int member, const Batch& batch) {
  const Layer& layer = layout_.layers[index];
  const PanelledLayer& places = parameters_.layer(index);
  Pass& pass = passes_[index];
  const Range range = memberPanels(member, batch);
  const int outputs = layer.outputs;
  for (int p = range.begin; p < range.end; ++p) {
    kernels_.moments(pass.normalised.get() + p * pass.stride, outputs, validColumns(batch, p),
                     pass.sums[0].get() + p * outputs, pass.sums[1].get() + p * outputs);
  }
  team_.wait(member);

  float* mean = scratch_[member].get();
  float* squares = mean + outputs;
  float* inverse = pass.inverse[member].get();
  std::fill_n(mean, 2 * outputs, 0.0f);
  for (int p = 0; p < panels(batch); ++p) {
    const float part = static_cast<float>(validColumns(batch, p)) / static_cast<float>(batch.count);
    for (int i = 0; i < outputs; ++i) mean[i] += part * pass.sums[0][p * outputs + i];
  }
  for (int p = 0; p < panels(batch); ++p) {
    const float images = static_cast<float>(validColumns(batch, p));
    for (int i = 0; i < outputs; ++i) {
      const float shift = pass.sums[0][p * outputs + i] - mean[i];
      squares[i] += pass.sums[1][p * outputs + i] + images * shift * shift;
    }
  }
  const float count = static_cast<float>(batch.count);
  for (int i = 0; i < outputs; ++i) inverse[i] = 1 / std::sqrt(squares[i] / count + normEpsilon);

  for (int p = range.begin; p < range.end; ++p) {
    kernels_.normalise(mean, inverse, parameters_.values() + places.gamma, parameters_.values() + places.beta, outputs,
                       layer.activation == Activation::relu, pass.normalised.get() + p * pass.stride,
                       pass.output.get() + p * pass.stride);
  }
  if (member != 0 || batch.count == 1) return;
  const float* bias = parameters_.values() + places.bias;
  float* runningMean = runningStatistics_.data() + layer.runningMean;
  float* runningVariance = runningStatistics_.data() + layer.runningVariance;
  for (int i = 0; i < outputs; ++i) {
    runningMean[i] += normMomentum * (mean[i] + bias[i] - runningMean[i]);
    runningVariance[i] += normMomentum * (squares[i] / (count - 1) - runningVariance[i]);
  }
}

}  // namespace eigenae
