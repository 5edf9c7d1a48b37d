// The layers of Inference.
#include <algorithm>
#include <cmath>

#include "inference.h"
#include "slices.h"

namespace eigenae {

// gamma · (x + bias − mean) / deviation + beta as scale · x + shift
void Inference::prepareBatchNorms(const std::vector<float>& runningStatistics) {
  for (std::size_t i = 0; i < batchNorms_.size(); ++i) {
    const Layer& layer = layout_.layers[i];
    if (!layer.batchNorm) continue;
    const PanelledLayer& places = parameters_.layer(i);
    const float* values = parameters_.values();
    batchNorms_[i].scale.resize(layer.outputs);
    batchNorms_[i].shift.resize(layer.outputs);
    for (int j = 0; j < layer.outputs; ++j) {
      const float variance = runningStatistics[layer.runningVariance + j];
      const float scale = values[places.gamma + j] / std::sqrt(variance + normEpsilon);
      batchNorms_[i].scale[j] = scale;
      batchNorms_[i].shift[j] =
          values[places.beta + j] + (values[places.bias + j] - runningStatistics[layer.runningMean + j]) * scale;
    }
  }
}

// Transposes the first layer's weight, so that units are along the vectors and black pixels can be skipped.
void Inference::prepareFirstLayer() {
  const PanelledLayer& layer = parameters_.layer(0);
  const float* weight = parameters_.values() + layer.weight;
  for (int begin = 0; begin < layer.columns; begin += width_, weight += layer.stride) {
    kernels_.transpose(weight, layer.rows, firstWeight_.get() + static_cast<std::size_t>(begin) * width_,
                       firstWeightStride_);
  }
}

// Computes the first layer of images without noise. Four fifths of MNIST's pixels are black and are skipped.
void Inference::firstLayer(int count, Scratch& scratch, float* out) const {
  const Layer& layer = layout_.layers[0];
  const int panels = (layer.outputs + width_ - 1) / width_;
  scratch.sparse.list(scratch.clean.get(), rowsStride_, count, layer.inputs);
  kernels_.multiplySparse(scratch.sparse.matrix(), firstWeight_.get(), firstWeightStride_, panels, scratch.rows.get(),
                          rowsStride_);
  for (int p = 0; p < panels; ++p) {
    kernels_.transpose(scratch.rows.get() + p * rowsStride_, count, out + static_cast<std::size_t>(p) * width_ * width_,
                       stride_);
  }
}

void Inference::linear(std::size_t index, const float* in, std::size_t inStride, int panels, FactorPacker& factor,
                       float* out) const {
  const PanelledLayer& layer = parameters_.layer(index);
  const float* weight = parameters_.values() + layer.weight;
  if (layer.transposed) {
    for (int p = 0; p < panels; ++p) {
      kernels_.multiplyTransposed(weight, layer.stride, layer.columns, layer.rows, in + p * inStride,
                                  out + p * stride_);
    }
    return;
  }
  for (int slice = 0; slice < slices; ++slice) {  // a slice's weights stay in the cache from panel to panel
    const Range columns = slicePixels(layer.columns, slice, width_);
    const int count = columns.end - columns.begin;
    if (count == 0) continue;
    const float* some = weight + columns.begin / width_ * layer.stride;
    for (int p = 0; p < panels; ++p) {
      const float* from = in + p * inStride + static_cast<std::size_t>(columns.begin) * width_;
      kernels_.multiply(some, layer.stride, layer.rows, count, factor.pack(from, 0, count).data, columns.begin > 0,
                        out + p * stride_);
    }
  }
}

void Inference::activate(std::size_t index, int panels, float* values) const {
  const Layer& layer = layout_.layers[index];
  const float* bias = parameters_.values() + parameters_.layer(index).bias;
  const bool applyRelu = layer.activation == Activation::relu;
  for (int p = 0; p < panels; ++p, values += stride_) {
    if (layer.batchNorm) {
      kernels_.scaleShift(batchNorms_[index].scale.data(), batchNorms_[index].shift.data(), layer.outputs, applyRelu,
                          values);
    } else {
      kernels_.addBias(bias, layer.outputs, applyRelu, values);
    }
  }
}

// Computes the last layer's outputs in scratch.rows.
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
    // Always whole panels, because the bits of multiplyTransposed may depend on the number of columns.
    const int columns = static_cast<int>(roundUp(count, width_));
    for (int p = 0; p < panels; ++p) {
      kernels_.multiplyTransposed(in, stride_, columns, layer.rows, weight + p * layer.stride, rows + p * rowsStride_);
    }
  }
  for (int p = 0; p < panels; ++p) kernels_.sigmoid(bias + p * width_, count, rows + p * rowsStride_);
}

}  // namespace eigenae
