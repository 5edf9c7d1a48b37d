// The kernels on vectors as a table. Everything here is compiled once for each instruction set.
#pragma once

#include "activations.h"
#include "columns.h"
#include "distances.h"
#include "features.h"
#include "gradient.h"
#include "kernels.h"
#include "noise.h"
#include "normalisation.h"
#include "optimizers.h"
#include "products.h"
#include "sparse_gradient.h"
#include "sparse_products.h"
#include "symmetric.h"
#include "transpose.h"

namespace eigenae {
namespace {

// Adam without weight decay is the optimiser whose updates run between the products.
template <typename Optimizer>
constexpr UpdateKernels adamUpdates() {
  return {updateWeights<Optimizer>, updateWeightsSparse<Optimizer>, updateArray<Optimizer>};
}

template <typename ForWeights, typename ForArrays>
constexpr UpdateKernels otherUpdates() {
  return {updateWeightsAfterProducts<ForWeights, multiply>, updateWeightsSparse<ForWeights>, updateArray<ForArrays>};
}

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
      .updates = {{adamUpdates<Adam<false, false>>(), adamUpdates<Adam<false, true>>()},
                  {otherUpdates<Adam<true, false>, Adam<false, false>>(),
                   otherUpdates<Adam<true, true>, Adam<false, true>>()},
                  {otherUpdates<Sgd<false>, Sgd<false>>(), otherUpdates<Sgd<true>, Sgd<true>>()}},
      .listNonZeros = listNonZeros,
      .multiplySparse = multiplySparse,
      .multiplySampled = multiplySampled,
      .scatterPartialSums = scatterPartialSums,
      .fillInput = fillInput,
      .readPixels = readPixels,
      .addBias = addBias,
      .activateBackward = activateBackward,
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
      .featureMoments = featureMoments,
      .addFeatureGradient = addFeatureGradient,
      .findNear = findNear,
  };
}

}  // namespace
}  // namespace eigenae
