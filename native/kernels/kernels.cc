// One instruction set's kernels. Compiled once for each, with EIGENAE_KERNELS naming the table.
#include "kernels.h"

#include "activations.h"
#include "adam.h"
#include "columns.h"
#include "distances.h"
#include "gradient.h"
#include "noise.h"
#include "normalisation.h"
#include "products.h"
#include "sparse_gradient.h"
#include "sparse_products.h"
#include "transpose.h"
#if defined(__AMX_BF16__)
#include "tiled_gradient.h"
#endif

#ifndef EIGENAE_KERNELS
#define EIGENAE_KERNELS baselineKernels
#endif

namespace eigenae {

#if defined(__AMX_BF16__)
#define EIGENAE_PRODUCTS \
  openTiles, closeTiles, preparedFloats, prepare, multiplyTiled, multiplyTransposedTiled, sumParts, trainWeightsTiled
#else
#define EIGENAE_PRODUCTS \
  nullptr, nullptr, nullptr, nullptr, multiply, multiplyTransposed, sumParts, trainWeights
#endif

extern const Kernels EIGENAE_KERNELS;

const Kernels EIGENAE_KERNELS = {
    panel,
    EIGENAE_PRODUCTS,
    trainArray,
    listNonZeros,
    multiplySparse,
    multiplyWhereListed,
    spreadParts,
    trainWeightsSparse,
    fillInput,
    readPixels,
    addBias,
    rectifyBackward,
    sigmoidLoss,
    sigmoid,
    squaredError,
    rowSums,
    columnSums,
    transpose,
    moments,
    normalise,
    normaliseSums,
    normaliseBackward,
    scaleShift,
    widen,
    narrow,
    triangularFactor,
    orthogonalise,
    weightedSquare,
    combine,
    findNear,
};

}  // namespace eigenae
