// The kernels on vectors as a table. Everything here is compiled once for each instruction set.
#pragma once

#include "activations.h"
#include "adam.h"
#include "columns.h"
#include "distances.h"
#include "gradient.h"
#include "kernels.h"
#include "noise.h"
#include "normalisation.h"
#include "products.h"
#include "sparse_gradient.h"
#include "sparse_products.h"
#include "symmetric.h"
#include "transpose.h"

namespace eigenae {
namespace {

constexpr Kernels vectorKernels() {
  return {
      .panelColumns = panel,
      .beginProducts = nullptr,
      .endProducts = nullptr,
      .packedFloats = nullptr,
      .packRightFactor = nullptr,
      .multiply = multiply,
      .multiplyTransposed = multiplyTransposed,
      .addPartialSums = addPartialSums,
      .updateWeights = updateWeights,
      .updateArray = updateArray,
      .listNonZeros = listNonZeros,
      .multiplySparse = multiplySparse,
      .multiplySampled = multiplySampled,
      .scatterPartialSums = scatterPartialSums,
      .updateWeightsSparse = updateWeightsSparse,
      .fillInput = fillInput,
      .readPixels = readPixels,
      .addBias = addBias,
      .reluBackward = reluBackward,
      .sigmoidLoss = sigmoidLoss,
      .sigmoid = sigmoid,
      .squaredError = squaredError,
      .rowSums = rowSums,
      .columnSums = columnSums,
      .transpose = transpose,
      .moments = moments,
      .normalise = normalise,
      .normaliseSums = normaliseSums,
      .normaliseBackward = normaliseBackward,
      .scaleShift = scaleShift,
      .widen = widen,
      .narrow = narrow,
      .triangularFactor = triangularFactor,
      .orthogonalise = orthogonalise,
      .weightedSquare = weightedSquare,
      .combine = combine,
      .multiplyColumns = multiplyColumns,
      .invert = invert,
      .findNear = findNear,
  };
}

}  // namespace
}  // namespace eigenae
