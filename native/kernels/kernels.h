// What a set of kernels offers, whatever its instruction set. Plain functions on plain memory: no allocation, no
// threads, no library calls, so that they also compile where there is no operating system.
//
// Every matrix is kept in panels. A panel is `panelColumns` neighbouring columns, row after row, so that a row of a
// panel is two vectors. The panels of a matrix follow each other `stride` floats apart; element (r, c) is
//   data[c / panelColumns · stride + r · panelColumns + c % panelColumns].
// Activations have a row a feature and a column an image; transposed, the other way round. A pointer to a matrix may
// point to one of its rows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace eigenae {

constexpr int widestPanel = 32;  // columns, of all instruction sets

// Adam with its bias corrections folded in: w −= rate · m / (√v + epsilon).
struct AdamStep {
  float rest1;  // 1 − β₁
  float rest2;  // 1 − β₂
  float rate;
  float epsilon;
};

// Corresponding places in three matrices or arrays of the same layout.
struct Trained {
  float* parameters;
  float* firstMoments;
  float* secondMoments;
};

// Where a panel of input columns comes from.
struct NoisyInput {
  const std::uint8_t* images;   // bytes [count][inputs], `imageStride` from one to the next
  std::size_t inputs, imageStride;
  const std::uint32_t* index;   // [panelColumns] each column's image
  std::uint32_t seed, purpose, epoch;
  float deviation;              // 0: none
};

// The parts of a sum: first those of a group, then the groups.
struct Parts {
  static constexpr int maximalGroups = 2, maximalParts = 8;
  const float* parts[maximalParts];  // group after group
  int groups;
  int counts[maximalGroups];  // each group's parts, at least one
};

// A matrix [rows][depth] without its zeros, cut along the depth into chunks. A chunk's numbers lie row after row.
struct SparseMatrix {
  static constexpr int chunk = 64;
  int rows, depth;
  std::uint32_t* ends;    // [chunks][rows] where a row ends in both arrays below; it begins where the one before ends
  std::uint32_t* places;  // of each number: its column in the chunk · panelColumns
  float* values;
};

struct Kernels {
  int panelColumns;

  // To be called by each thread before and after it calls products; null: nothing is to be done.
  void (*open)();
  void (*close)();

  // A panel b [depth] as multiply and trainWeights want it, in preparedFloats(depth); null: as it is.
  std::size_t (*preparedFloats)(int depth);
  void (*prepare)(const float* b, int depth, float* prepared);

  // products.h. out [rows][panel] = a [rows][depth] · b [depth][panel], b prepared; or added to what is there.
  void (*multiply)(const float* a, std::size_t aStride, int rows, int depth, const float* b, bool add, float* out);
  // out [columns][panel] = aᵀ · b, for a [depth][columns] and b [depth][panel].
  void (*multiplyTransposed)(const float* a, std::size_t aStride, int columns, int depth, const float* b, float* out);
  // out [rows] = Σ over groups (Σ over a group's parts)
  void (*sumParts)(const Parts& parts, int rows, float* out);
  // gradient.h, adam.h. Adam on w [rows][columns] by its gradient d [rows][depth] · b [depth][columns], b prepared.
  void (*trainWeights)(const float* d, std::size_t dStride, int rows, int depth, const float* b, std::size_t bStride,
                       int columns, Trained w, std::size_t wStride, const AdamStep& step);
  void (*trainArray)(const float* gradient, std::size_t count, Trained w, const AdamStep& step);

  // sparse_lists.h. Lists what of x [rows][depth] is not 0 and returns how many numbers that are. Room for all of them
  // and 15 more.
  std::size_t (*listNonZeros)(const float* x, std::size_t stride, SparseMatrix& to);
  // sparse_products.h. out [rows] = a · b [depth], both of so many panels.
  void (*multiplySparse)(const SparseMatrix& a, const float* b, std::size_t bStride, int panels, float* out,
                         std::size_t outStride);
  // Of x [rows] · wᵀ for w [depth], both of so many panels, what is at a's numbers: an array as their list; or added to
  // it.
  void (*multiplyWhereListed)(const SparseMatrix& a, const float* x, std::size_t xStride, const float* w,
                              std::size_t wStride, int panels, bool add, float* out);
  // A panel [depth] = the transpose of a's rows from firstRow on, as many as there are, with sums of such arrays, which
  // have room for 15 more, in place of a's numbers.
  void (*spreadParts)(const SparseMatrix& a, const Parts& parts, int firstRow, float* out);
  // sparse_gradient.h. Adam on w [rows] of so many panels by its gradient a · b.
  void (*trainWeightsSparse)(const SparseMatrix& a, const float* b, std::size_t bStride, int panels, Trained w,
                             std::size_t wStride, const AdamStep& step);

  // noise.h. Rows [4·firstBlock, 4·endBlock) of a panel, to where the first of them shall be.
  void (*fillInput)(const NoisyInput& from, int firstBlock, int endBlock, float* to);
  // out [images] = some pixels / 255 of a panel's width or less, with a row an image: `count` of image index[i] from
  // bytes + index[i] · imageStride on.
  void (*readPixels)(const std::uint8_t* bytes, std::size_t imageStride, const std::uint32_t* index, int images,
                     int count, float* out);

  // activations.h, each on a panel of [rows].
  // x = x + bias, then the rectifier
  void (*addBias)(const float* bias, int rows, bool rectify, float* x);
  // gradient = 0 where the rectifier gave 0.
  void (*rectifyBackward)(const float* output, int rows, float* gradient);
  // With a row an image: x becomes (y − target) · y (1 − y) · scale for y = sigmoid(x + bias [panel]), and 0 in columns
  // that are not valid; returns Σ (y − target)².
  float (*sigmoidLoss)(const float* target, const float* bias, int rows, int validColumns, float scale, float* x);
  // x = sigmoid(x + bias [panel])
  void (*sigmoid)(const float* bias, int rows, float* x);
  float (*squaredError)(const float* x, const float* target, int rows, int validColumns);
  // sums [rows] over the valid columns of a matrix.
  void (*rowSums)(const float* x, std::size_t stride, int rows, int columns, float* sums);
  // sums [columns] over the rows of a matrix.
  void (*columnSums)(const float* x, std::size_t stride, int rows, int columns, float* sums);
  // out (row = column of x, stride outStride) = xᵀ for x [rows][panel]; reads and writes whole squares of panelColumns.
  void (*transpose)(const float* x, int rows, float* out, std::size_t outStride);

  // normalisation.h, batch norm of a panel [rows].
  // mean and Σ (x − mean)² of each row's valid columns.
  void (*moments)(const float* x, int rows, int validColumns, float* mean, float* squares);
  // x = (x − mean) · inverse; out = x · gamma + beta, then the rectifier.
  void (*normalise)(const float* mean, const float* inverse, const float* gamma, const float* beta, int rows,
                    bool rectify, float* x, float* out);
  // Each row's Σ gradient and Σ gradient · normalised over the valid columns.
  void (*normaliseSums)(const float* gradient, const float* normalised, int rows, int validColumns, float* sums,
                        float* products);
  // gradient = scale · (gradient − mean − normalised · projection)
  void (*normaliseBackward)(const float* normalised, const float* scale, const float* mean, const float* projection,
                            int rows, float* gradient);
  // out = x · scale + shift, then the rectifier: batch norm in inference.
  void (*scaleShift)(const float* scale, const float* shift, int rows, bool rectify, float* x);

  // columns.h, in double, on matrices of columns that are each in one piece and filled up with zeros. Where `stop` is not 0
  // any more, a function returns early, and what it leaves is of no use.
  // column [columns] = a row of a matrix in panels; and the other way round, returning the column's sum.
  void (*widen)(const float* row, std::size_t stride, int columns, double* column);
  double (*narrow)(const double* column, int columns, float* row, std::size_t stride);
  int (*triangularFactor)(double* columns, std::size_t stride, int width, double rounding, double* rows,
                          std::size_t rowStride, double* squares, double* noise, int* order, const std::int32_t* stop);
  void (*orthogonalise)(double* columns, std::size_t stride, int width, double* squares, const std::int32_t* stop);
  void (*weightedSquare)(const double* columns, std::size_t stride, int width, int rows, const double* weights,
                         double* out);
  void (*combine)(const double* columns, std::size_t stride, int width, const double* matrix, std::size_t matrixStride,
                  double* out);

  // distances.h. near [count]: a bit for each of a panel's columns, points of [depth], that is set if the sum of its
  // squared distance from the query [count][depth] is at most the query's bound, or is not a number.
  void (*findNear)(const float* points, int depth, const float* queries, int count, const float* bounds,
                   std::uint32_t* near);
};

}  // namespace eigenae
