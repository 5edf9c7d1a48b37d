#include "linear.h"

#include <algorithm>
#include <cstddef>

namespace eigenae {

namespace {

std::size_t at(int row, int width) { return static_cast<std::size_t>(row) * static_cast<std::size_t>(width); }

// target [width] += Σ_r coefficients[r · stride] · rows[r][width]. All three products are written as sums of rows: each
// element is summed in the order of r, so the compiler may vectorise over the width without changing a bit. Four rows
// at a time spare three of four trips of the target through memory.
void addScaledRows(const float* coefficients, int stride, const float* rows, int count, int width,
                   float* __restrict target) {
  int r = 0;
  for (; r + 4 <= count; r += 4) {
    const float c0 = coefficients[at(r, stride)], c1 = coefficients[at(r + 1, stride)];
    const float c2 = coefficients[at(r + 2, stride)], c3 = coefficients[at(r + 3, stride)];
    const float *row0 = rows + at(r, width), *row1 = row0 + width, *row2 = row1 + width, *row3 = row2 + width;
    for (int i = 0; i < width; ++i) target[i] = target[i] + c0 * row0[i] + c1 * row1[i] + c2 * row2[i] + c3 * row3[i];
  }
  for (; r < count; ++r) {
    const float c = coefficients[at(r, stride)];
    const float* row = rows + at(r, width);
    for (int i = 0; i < width; ++i) target[i] += c * row[i];
  }
}

void transpose(const float* matrix, int rows, int columns, float* transposed) {
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) transposed[at(c, rows) + r] = matrix[at(r, columns) + c];
  }
}

}  // namespace

void linearForward(const float* input, const float* weight, const float* bias, int batch, int inputs, int outputs,
                   float* transposedWeight, float* output) {
  transpose(weight, outputs, inputs, transposedWeight);
  for (int b = 0; b < batch; ++b) {
    std::copy(bias, bias + outputs, output + at(b, outputs));
    addScaledRows(input + at(b, inputs), 1, transposedWeight, inputs, outputs, output + at(b, outputs));
  }
}

void linearBackwardInput(const float* outputGradient, const float* weight, int batch, int inputs, int outputs,
                         float* inputGradient) {
  std::fill(inputGradient, inputGradient + at(batch, inputs), 0.0f);
  for (int b = 0; b < batch; ++b) {
    addScaledRows(outputGradient + at(b, outputs), 1, weight, outputs, inputs, inputGradient + at(b, inputs));
  }
}

void linearBackwardWeight(const float* outputGradient, const float* input, int batch, int inputs, int outputs,
                          float* weightGradient) {
  std::fill(weightGradient, weightGradient + at(outputs, inputs), 0.0f);
  for (int o = 0; o < outputs; ++o) {
    addScaledRows(outputGradient + o, outputs, input, batch, inputs, weightGradient + at(o, inputs));
  }
}

void linearBackwardBias(const float* outputGradient, int batch, int outputs, float* biasGradient) {
  std::fill(biasGradient, biasGradient + outputs, 0.0f);
  for (int b = 0; b < batch; ++b) {
    for (int o = 0; o < outputs; ++o) biasGradient[o] += outputGradient[at(b, outputs) + o];
  }
}

}  // namespace eigenae
