// One instruction set's kernels. Compiled once for each, with EIGENAE_KERNELS naming the table.
#include "kernels.h"

#include "activations.h"
#include "columns.h"
#include "gradient.h"
#include "noise.h"
#include "normalisation.h"
#include "products.h"

#ifndef EIGENAE_KERNELS
#define EIGENAE_KERNELS baselineKernels
#endif

namespace eigenae {

extern const Kernels EIGENAE_KERNELS;

const Kernels EIGENAE_KERNELS = {
    panel,           multiply,      multiplyTransposed, trainWeights, trainArray, fillInput,  sumParts, addBias,
    rectifyBackward, sigmoidLoss,   sigmoid,            squaredError, rowSums,    columnSums, transpose, moments,
    normalise,       normaliseSums, normaliseBackward,  scaleShift,
    triangularFactor, orthogonalise, weightedSquare, combine,
};

}  // namespace eigenae
