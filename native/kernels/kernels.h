// The table of kernels that every instruction set provides. Kernels are plain functions on plain memory: they allocate
// nothing, start no threads and call no library, so that the same source also compiles for WebAssembly.
//
// Matrices are stored in panels (pictured in native/README.md). A panel is `panelColumns` neighbouring columns, stored
// row after row, so that one row of a panel is exactly two vectors. Consecutive panels of a matrix are `stride` floats
// apart. Element (row, column) is at
//
//   data[column / panelColumns · stride + row · panelColumns + column % panelColumns]
//
// [rows][columns] below gives a matrix's logical shape; [rows][panel] is a single panel. Activations are
// [features][images], transposed activations [images][features]. A pointer to a matrix may point to one of its rows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/activation.h"

namespace eigenae {

constexpr int widestPanel = 32;  // the largest panelColumns of all instruction sets

// Each is compiled without and with averages.
enum class Optimizer { adam, adamW, sgd };
constexpr int optimizers = 3;

// The factors of one step of an optimiser, made by stepFactors in core/optimizer_step.cc. For parameters w with the
// gradient g, moments m and v, averages a:
//
//   adam    m += (g − m) · oneMinusBeta1,  v += (g² − v) · oneMinusBeta2,  w −= stepSize · m / (√v + epsilon)
//           stepSize and epsilon include the bias corrections
//   adamW   the same, with w = w · keptShare − stepSize · m / (√v + epsilon) for weights
//   sgd     m = m · momentum + g,  w −= stepSize · (g · gradientShare + m · bufferShare)
//   then    a += (w − a) · averageShare
struct OptimizerStep {
  float oneMinusBeta1 = 0, oneMinusBeta2 = 0;
  float stepSize = 0;
  float epsilon = 0, keptShare = 1;
  float momentum = 0, gradientShare = 0, bufferShare = 1;
  float averageShare = 1;
};

// The same position in the arrays of what training changes. All have one layout.
struct TrainedArrays {
  float* parameters;
  float* firstMoments;
  float* secondMoments;
  float* averages;  // null without averaging

  TrainedArrays from(std::size_t offset) const {
    return {parameters + offset, firstMoments + offset, secondMoments + offset,
            averages == nullptr ? nullptr : averages + offset};
  }
};

// The source of a panel of noisy input [pixels][images].
struct NoisyInput {
  const std::uint8_t* images;          // bytes [count][inputs], `imageStride` bytes from one image to the next
  std::size_t inputs, imageStride;     // pixels of an image; imageStride is 0 to use one image for all columns
  const std::uint32_t* index;          // [panelColumns] the image of each column
  std::uint32_t seed, purpose, epoch;  // name the noise together with image and pixel, see core/random.h
  float deviation;                     // standard deviation of the noise; 0 for none
};

// Partial sums of one result, as core/slices.h groups them. They are added in a fixed order: first the sums of a group,
// then the groups. The number of threads decides how many sums there are, never the order of the additions.
struct PartialSums {
  static constexpr int maximalGroups = 2, maximalSums = 8;
  const float* sums[maximalSums];  // the first group's sums, then the second's
  int groups;
  int counts[maximalGroups];  // number of sums in each group, at least one
};

// The nonzero elements of a matrix [rows][depth]. The depth is cut into chunks, so that the rows of the other factor
// that a chunk selects stay in the nearest cache. Elements are stored chunk by chunk, and within a chunk row by row.
struct SparseMatrix {
  static constexpr int chunk = 64;
  int rows, depth;
  std::uint32_t*
      rowEnds;  // [chunks][rows] index behind a row's last element; a row begins at the end of the one before
  std::uint32_t* offsets;  // of each element: its column within the chunk · panelColumns
  float* values;           // of each element
};

// One step of one optimiser.
struct UpdateKernels {
  // Updates w [rows][columns] whose gradient is d [rows][depth] · b [depth][columns], with b packed. The gradient is
  // never stored as a whole.
  void (*weights)(const float* d, std::size_t dStride, int rows, int depth, const float* b, std::size_t bStride,
                  int columns, TrainedArrays w, std::size_t wStride, const OptimizerStep& step);

  // Updates w [rows][panels] whose gradient is a [rows][depth] · b [depth][panels].
  void (*weightsSparse)(const SparseMatrix& a, const float* b, std::size_t bStride, int panels, TrainedArrays w,
                        std::size_t wStride, const OptimizerStep& step);

  // Updates w [count] with the given gradient [count], without weight decay. No pointer needs to be aligned.
  void (*array)(const float* gradient, std::size_t count, TrainedArrays w, const OptimizerStep& step);
};

struct Kernels {
  int panelColumns;

  // --- Dense products ---

  // Every thread calls beginProducts before and endProducts after it calls products. Null if an instruction set needs
  // neither.
  void (*beginProducts)();
  void (*endProducts)();

  // An instruction set may want the right factor of multiply and of updated weights in a format of its own.
  // packRightFactor converts one panel b [depth][panel] into packedFloats(depth) floats. Both are null if the panel is
  // used as it is.
  std::size_t (*packedFloats)(int depth);
  void (*packRightFactor)(const float* b, int depth, float* packed);

  // out [rows][panel] = a [rows][depth] · b [depth][panel], with b packed. If `add` is set, adds to out instead.
  void (*multiply)(const float* a, std::size_t aStride, int rows, int depth, const float* b, bool add, float* out);

  // out [columns][panel] = aᵀ · b, for a [depth][columns] and b [depth][panel].
  void (*multiplyTransposed)(const float* a, std::size_t aStride, int columns, int depth, const float* b, float* out);

  // out [rows][panel] = the sum of all partial sums [rows][panel].
  void (*addPartialSums)(const PartialSums& sums, int rows, float* out);

  // --- Updates ---

  UpdateKernels updates[optimizers][2];  // without and with averages

  const UpdateKernels& updatesOf(Optimizer optimizer, bool averages) const {
    return updates[static_cast<int>(optimizer)][averages];
  }

  // --- Products that skip zeros ---

  // Lists the nonzero elements of x [rows][depth] and returns their number. rows and depth of `to` are set by the
  // caller; its arrays have room for all elements and 15 more.
  std::size_t (*listNonZeros)(const float* x, std::size_t stride, SparseMatrix& to);

  // out [rows][panels] = a [rows][depth] · b [depth][panels], for `panels` panels.
  void (*multiplySparse)(const SparseMatrix& a, const float* b, std::size_t bStride, int panels, float* out,
                         std::size_t outStride);

  // The elements of x [rows] · wᵀ at the positions that a lists (a sampled dense product), for x [rows][columns] and
  // w [depth][columns] of `panels` panels. out is an array parallel to a.values. If `add` is set, adds to out instead.
  void (*multiplySampled)(const SparseMatrix& a, const float* x, std::size_t xStride, const float* w,
                          std::size_t wStride, int panels, bool add, float* out);

  // out [depth][panel] = the transpose of up to panelColumns rows of a, from firstRow on, with the sum of the partial
  // sums in place of a's values. The partial sums are arrays parallel to a.values, with room for 15 floats more.
  void (*scatterPartialSums)(const SparseMatrix& a, const PartialSums& sums, int firstRow, float* out);

  // --- Images ---

  // Writes the rows [4 · firstBlock, 4 · endBlock) of a panel [pixels][images]: pixel / 255 plus noise. `to` points to
  // the first of these rows.
  void (*fillInput)(const NoisyInput& from, int firstBlock, int endBlock, float* to);

  // out [images][panel]: row i holds `count` pixels / 255 of image index[i], read from bytes + index[i] · imageStride.
  // count is at most panelColumns; the columns behind it are left unchanged.
  void (*readPixels)(const std::uint8_t* bytes, std::size_t imageStride, const std::uint32_t* index, int images,
                     int count, float* out);

  // --- Activations, each on one panel [rows] ---

  // linear = x + bias [rows] unless `linear` is null, and x = activation(x + bias).
  void (*addBias)(const float* bias, int rows, ActivationFunction activation, float* x, float* linear);

  // gradient becomes that of the activation's input, of which SiLU needs the values. The others need the output.
  void (*activateBackward)(ActivationFunction activation, const float* input, const float* output, int rows,
                           float* gradient);

  // x is [images][pixels of a panel]. With y = sigmoid(x + bias [panel]), x becomes (y − target) · y (1 − y) · scale,
  // and 0 in columns that are not valid. Returns Σ (y − target)² over the valid columns.
  float (*sigmoidLoss)(const float* target, const float* bias, int rows, int validColumns, float scale, float* x);

  // x = sigmoid(x + bias [panel])
  void (*sigmoid)(const float* bias, int rows, float* x);

  // Returns Σ (x − target)² over the valid columns.
  float (*squaredError)(const float* x, const float* target, int rows, int validColumns);

  // sums [rows] = the sum over the columns of each row of x [rows][columns].
  void (*rowSums)(const float* x, std::size_t stride, int rows, int columns, float* sums);

  // sums [columns] = the sum over the rows of each column of x [rows][columns].
  void (*columnSums)(const float* x, std::size_t stride, int rows, int columns, float* sums);

  // out [panel][rows] = xᵀ for x [rows][panel]. Reads and writes whole squares of panelColumns × panelColumns.
  void (*transpose)(const float* x, int rows, float* out, std::size_t outStride);

  // --- Batch norm, each on one panel [features][images] ---

  // mean [rows] and squares [rows] = Σ (x − mean)² over the valid columns of each row.
  void (*moments)(const float* x, int rows, int validColumns, float* mean, float* squares);

  // x = (x − mean) · inverse, scaled = x · gamma + beta unless `scaled` is null, and out = activation(x · gamma +
  // beta).
  void (*normalise)(const float* mean, const float* inverse, const float* gamma, const float* beta, int rows,
                    ActivationFunction activation, float* x, float* scaled, float* out);

  // sums [rows] = Σ gradient and products [rows] = Σ gradient · normalised, over the valid columns.
  void (*normaliseSums)(const float* gradient, const float* normalised, int rows, int validColumns, float* sums,
                        float* products);

  // gradient = scale · (gradient − mean − normalised · projection)
  void (*normaliseBackward)(const float* normalised, const float* scale, const float* mean, const float* projection,
                            int rows, float* gradient);

  // x = activation(x · scale + shift): batch norm in inference.
  void (*scaleShift)(const float* scale, const float* shift, int rows, ActivationFunction activation, float* x);

  // --- Linear algebra in double, for singular values and covariances ---
  //
  // Each column of a matrix is contiguous and padded with zeros to `stride` doubles, a multiple of 8. A function that
  // takes `stop` returns early once *stop is not 0; its results are then meaningless.

  // column [columns] = one row of a matrix in panels.
  void (*widen)(const float* row, std::size_t stride, int columns, double* column);

  // One row of a matrix in panels = column [columns]. Returns the sum of the column.
  double (*narrow)(const double* column, int columns, float* row, std::size_t stride);

  // Pivoted QR factorisation of the columns. Documented in kernels/columns.h, as the next three are.
  int (*triangularFactor)(double* columns, std::size_t stride, int width, double rounding, double* rows,
                          std::size_t rowStride, double* squares, double* noise, int* order, const std::int32_t* stop);

  // Rotates pairs of columns until all columns are orthogonal.
  void (*orthogonalise)(double* columns, std::size_t stride, int width, double* squares, const std::int32_t* stop);

  // out [rows][stride] = columns · diag(weights) · columnsᵀ
  void (*weightedSquare)(const double* columns, std::size_t stride, int width, int rows, const double* weights,
                         double* out, const std::int32_t* stop);

  // out = columns · matrix, for a symmetric matrix [width][width].
  void (*combine)(const double* columns, std::size_t stride, int width, const double* matrix, std::size_t matrixStride,
                  double* out, const std::int32_t* stop);

  // out [width][outStride] = scale · columnsᵀ · columns. `lower` says that the columns are a lower triangular matrix.
  void (*multiplyColumns)(const double* columns, std::size_t stride, int width, bool lower, double scale, double* out,
                          std::size_t outStride, const std::int32_t* stop);

  // inverse [width][stride] = (matrix + epsilon · I)⁻¹ for a symmetric matrix without negative eigenvalues.
  // 1 / scales² [width] are factors of the determinant of matrix + epsilon · I. `factor` [width][stride] is scratch
  // space.
  void (*invert)(const double* matrix, std::size_t stride, int width, double epsilon, double* factor, double* scales,
                 double* inverse, const std::int32_t* stop);

  // --- Eigen losses on means and variances ---

  // means [rows] and biased variances [rows] of x [rows][columns].
  void (*featureMoments)(const float* x, std::size_t stride, int rows, int columns, double* means, double* variances);

  // gradient += (x − means) · slopes + shifts, on one panel [rows]
  void (*addFeatureGradient)(const float* x, const float* means, const float* slopes, const float* shifts, int rows,
                             float* gradient);

  // --- Neighbours ---

  // near [count]: one bit for each point of the panel `points` [depth][panel]. A bit is set if the squared distance
  // between the point and the query [count][depth] is at most the query's bound or is NaN.
  void (*findNear)(const float* points, int depth, const float* queries, int count, const float* bounds,
                   std::uint32_t* near);
};

}  // namespace eigenae
