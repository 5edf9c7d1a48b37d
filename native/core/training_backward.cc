// The way back through the layers between the first and the last one, and the updates there.
#include <algorithm>

#include "training_step.h"

namespace eigenae {

// The right factor of the gradient of a layer's weights.
PreparedFactor TrainingStep::gradientFactor(std::size_t index, int member, const Batch& batch) {
  const Pass& pass = passes_[index];
  const int panels = (parameters_.layer(index).columns + width_ - 1) / width_;
  return gradientFactors_[member](pass.transposed.get(), rowsStride_, batch.count, panels);
}

void TrainingStep::middleBackward(int member, const Batch& batch) {
  const Range range = memberPanels(member, batch);
  const std::size_t first = layout_.layers.size() - 2;
  for (int p = range.begin; p < range.end; ++p) {
    float* gradient = passes_[first].gradient.get() + p * passes_[first].stride;
    if (imageRows_[member].savesWhereListed()) {
      kernels_.spreadParts(imageRows_[member].matrix(), parts(0), p * width_, gradient);
    } else {
      kernels_.sumParts(parts(p), layout_.layers[first].outputs, gradient);
    }
  }
  for (std::size_t i = first + 1; i-- > 0;) {
    const PanelledLayer& layer = parameters_.layer(i);
    const float* weight = parameters_.values() + layer.weight;
    Pass& pass = passes_[i];
    activateBackward(i, member, batch);
    for (int p = range.begin; p < range.end; ++p) {
      const float* gradient = pass.gradient.get() + p * pass.stride;
      if (layer.transposed) {
        kernels_.transpose(gradient, layer.columns, pass.transposed.get() + static_cast<std::size_t>(p) * width_ * width_,
                           rowsStride_);
      }
      if (i == 0) continue;
      float* out = passes_[i - 1].gradient.get() + p * passes_[i - 1].stride;
      if (layer.transposed) {
        kernels_.multiply(weight, layer.stride, layer.rows, layer.columns,
                          factors_[member](gradient, 0, layer.columns).data, false, out);
      } else {
        kernels_.multiplyTransposed(weight, layer.stride, layer.columns, layer.rows, gradient, out);
      }
    }
  }
}

void TrainingStep::activateBackward(std::size_t index, int member, const Batch& batch) {
  const Range range = memberPanels(member, batch);
  Pass& pass = passes_[index];
  for (int p = range.begin; p < range.end; ++p) {
    if (index == layout_.bottleneck && eigenLoss_.applies(batch.count)) addEigenLossGradient(p);
    if (layout_.layers[index].activation == Activation::relu) {
      kernels_.rectifyBackward(pass.output.get() + p * pass.stride, layout_.layers[index].outputs,
                               pass.gradient.get() + p * pass.stride);
    }
  }
  if (layout_.layers[index].batchNorm) normaliseBackward(index, member, batch);
}

void TrainingStep::addEigenLossGradient(int panel) {
  const std::size_t size = static_cast<std::size_t>(layout_.latent()) * width_;
  Pass& pass = passes_[layout_.bottleneck];
  float* gradient = pass.gradient.get() + panel * pass.stride;
  const float* added = eigenLoss_.gradient() + panel * size;
  for (std::size_t i = 0; i < size; ++i) gradient[i] += added[i];
}

void TrainingStep::normaliseBackward(std::size_t index, int member, const Batch& batch) {
  Pass& pass = passes_[index];
  const Range range = memberPanels(member, batch);
  const int outputs = layout_.layers[index].outputs;
  for (int p = range.begin; p < range.end; ++p) {
    kernels_.normaliseSums(pass.gradient.get() + p * pass.stride, pass.normalised.get() + p * pass.stride, outputs,
                           validColumns(batch, p), pass.sums[0].get() + p * outputs, pass.sums[1].get() + p * outputs);
  }
  team_.wait(member);

  float* mean = scratch_[member].get();
  float* projection = mean + outputs;
  float* scale = projection + outputs;
  const float* gamma = parameters_.values() + parameters_.layer(index).gamma;
  std::fill_n(mean, 2 * outputs, 0.0f);
  for (int p = 0; p < panels(batch); ++p) {
    for (int i = 0; i < outputs; ++i) {
      mean[i] += pass.sums[0][p * outputs + i];
      projection[i] += pass.sums[1][p * outputs + i];
    }
  }
  for (int i = 0; i < outputs; ++i) {
    mean[i] /= static_cast<float>(batch.count);
    projection[i] /= static_cast<float>(batch.count);
    scale[i] = gamma[i] * pass.inverse[member][i];
  }
  for (int p = range.begin; p < range.end; ++p) {
    kernels_.normaliseBackward(pass.normalised.get() + p * pass.stride, scale, mean, projection, outputs,
                               pass.gradient.get() + p * pass.stride);
  }
}

// A member gets neighbouring rows of all these weights, taken one layer after the other: whole layers where it can, so
// that it fetches a layer's factors from the other cores and the others do not. Member 0 gets the last ones: an epoch
// of two threads took 2.5 % less so than the other way round.
Range TrainingStep::memberRows(std::size_t index, int member) const {
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
  const int place = team_.size() - 1 - member;
  return {bound(place), bound(place + 1)};
}

// Stores what is there already. The other members have read these weights, and a core must have a line for itself before
// it writes to it; so it asks for all of them at once, not for one after the other between the products. A step of two
// threads took 500 instead of 524 µs on two cores of a Zen 4 that share no cache, and 380 as before on two that do.
void TrainingStep::claimWeights(const PanelledLayer& layer, Range rows) const {
  constexpr std::ptrdiff_t cacheLine = 64 / sizeof(float);
  for (int column = 0; column < layer.columns; column += width_) {
    float* panel = parameters_.at(layer.weight).parameters + column / width_ * layer.stride;
    volatile float* const end = panel + rows.end * width_;
    for (volatile float* line = panel + rows.begin * width_; line < end; line += cacheLine) *line = *line;
  }
}

// From the last to the first: what middleBackward has left in another core's nearest cache is fetched last.
void TrainingStep::trainMiddle(int member, const Batch& batch) {
  const std::size_t layers = layout_.layers.size() - 1;
  for (std::size_t i = layers; i-- > 1;) {
    const PanelledLayer& layer = parameters_.layer(i);
    const Pass& pass = passes_[i];
    const Range rows = memberRows(i, member);
    if (rows.begin == rows.end) continue;
    const std::size_t row = static_cast<std::size_t>(rows.begin) * width_;
    if (team_.size() > 1) claimWeights(layer, rows);
    const PreparedFactor factor = gradientFactor(i, member, batch);
    const float* left = layer.transposed ? passes_[i - 1].output.get() : pass.gradient.get();
    kernels_.trainWeights(left + row, layer.transposed ? passes_[i - 1].stride : pass.stride, rows.end - rows.begin,
                          batch.count, factor.data, factor.stride, layer.columns,
                          parameters_.at(layer.weight + row), layer.stride, batch.adam);
  }
  const Range mine = share(static_cast<int>(layers), member, team_.size());
  for (int i = mine.begin; i < mine.end; ++i) trainVectors(i, batch);
}

// Bias, or gamma and beta: a bias that batch norm takes away again has no gradient. Nor has beta where another batch
// norm follows with no activation between: there, only the eigen losses have a say.
void TrainingStep::trainVectors(std::size_t index, const Batch& batch) {
  const Layer& layer = layout_.layers[index];
  const PanelledLayer& places = parameters_.layer(index);
  const Pass& pass = passes_[index];
  float sums[2][64];
  for (int begin = 0; begin < layer.outputs; begin += 64) {
    const int some = std::min(64, layer.outputs - begin);
    if (!layer.batchNorm) {
      sumGradients(index, {begin, begin + some}, batch.count, sums[0]);
      kernels_.trainArray(sums[0], some, parameters_.at(places.bias + begin), batch.adam);
      continue;
    }
    for (int k = 0; k < 2; ++k) {
      std::fill_n(sums[k], some, 0.0f);
      for (int p = 0; p < panels(batch); ++p) {
        for (int i = 0; i < some; ++i) sums[k][i] += pass.sums[k][p * layer.outputs + begin + i];
      }
    }
    if (index == layout_.bottleneck && layout_.layers[index + 1].batchNorm) {
      for (int i = 0; i < some; ++i) {
        sums[0][i] = eigenLoss_.applies(batch.count) ? eigenLoss_.gradientSums()[begin + i] : 0;
      }
    }
    kernels_.trainArray(sums[0], some, parameters_.at(places.beta + begin), batch.adam);
    kernels_.trainArray(sums[1], some, parameters_.at(places.gamma + begin), batch.adam);
  }
}

// Over the batch, of whichever copy the weights' update reads; outputs.begin is a panel's.
void TrainingStep::sumGradients(std::size_t index, Range outputs, int count, float* sums) const {
  const Pass& pass = passes_[index];
  const int some = outputs.end - outputs.begin;
  if (parameters_.layer(index).transposed) {
    kernels_.columnSums(pass.transposed.get() + outputs.begin / width_ * rowsStride_, rowsStride_,
                        count, some, sums);
  } else {
    kernels_.rowSums(pass.gradient.get() + outputs.begin * width_, pass.stride, some, count, sums);
  }
}

void TrainingStep::addLosses(const Batch& batch, Losses& losses) const {
  double sum = 0;
  for (const double squaredError : squaredErrors_) sum += squaredError;
  losses.squaredError += sum / layout_.inputs();
  losses.images += batch.count;
  if (!eigenLoss_.applies(batch.count)) return;
  losses.eigenLoss += eigenLoss_.value() * batch.count;
  losses.weighted += eigenLoss_.weighted() * batch.count;
  losses.eigenLossImages += batch.count;
}

}  // namespace eigenae
