// The shape of a model on the card, and everything that follows from it: how a model is divided among thread blocks,
// and the sizes of what they share. The kernel evaluates these functions at compile time, the host at run time, so both
// see one layout. No header of the standard library is included, because NVRTC has none.
//
// A model is trained by `blocks` thread blocks of `threads` threads. Every sum that crosses blocks is over a fixed
// number of slices, 4 · quads: of pixels, of the hidden units beside the pixels, and of images. A block owns 4, 2 or 1
// consecutive slices. The sum of a quad is (s0 + s1) + (s2 + s3), and quads are added in ascending order, so the bytes
// of a training do not depend on `blocks`, on `tiles` or on the models beside it.
//
// The host fills in widths, depth, batch, batchNorm and activation. refusalOf(shape) says whether the kernel trains it,
// and chooseDivision(shape, shared memory that a block can opt in to) sets `blocks` and `tiles`. core.cu is compiled
// with
// --std=c++17 --fmad=false --device-as-default-execution-space and the macros below. Its kernels are launched as
//
//   train   grid models · shape.blocks, block `threads`, dynamic shared memory sharedBytes(shape), cooperative; each
//           model has exchangeBytes(shape) of global memory, and a counter (arguments.h)
//   infer   any grid, block `workers`, dynamic shared memory inferenceSharedBytes(shape)
#pragma once

#ifdef __CUDACC__
#define EIGENAE_SHARED_CODE __host__ __device__
#else
#define EIGENAE_SHARED_CODE
#endif

namespace eigenae {
namespace cuda {

constexpr int workers = 256;           // threads of a block that compute products
constexpr int threads = workers + 32;  // and the warp of the eigen losses
constexpr int maximalWidths = 10;      // of the encoder, the input and the latent layer included
constexpr int maximalBatch = 256;
constexpr int maximalLatent = 64;
constexpr int maximalTerms = 8;      // eigen losses of a model
constexpr int statisticParts = 4;    // partial sums over images that make a sum of batch norm
constexpr int lossParts = 4;         // partial sums of a slice's squared errors
constexpr int inferenceImages = 16;  // images of a tile of `infer`, for which it writes one sum of squared errors

enum Activation { relu, leakyRelu, silu };

// core.cu is compiled with the macros WIDTHS (comma-separated), BATCH, BLOCKS, TILES, BATCH_NORM and ACTIVATION, which
// have the values of the fields below.
struct Shape {
  int widths[maximalWidths];  // the encoder's, from the input to the latent layer; the decoder mirrors it
  int depth;                  // layers of the encoder: the number of widths − 1
  int batch;                  // images of the largest batch
  int blocks;                 // thread blocks of a model: quads · 1, 2 or 4
  int tiles;                  // parts in which the hidden units beside the pixels are kept in shared memory: 1, 2 or 4
  unsigned batchNorm;         // bit l is set if layer l of the forward pass has batch norm
  int activation;             // of the hidden layers
};

EIGENAE_SHARED_CODE constexpr int larger(int a, int b) { return a > b ? a : b; }
EIGENAE_SHARED_CODE constexpr int divideUp(int a, int b) { return (a + b - 1) / b; }
EIGENAE_SHARED_CODE constexpr int roundUp(int a, int b) { return divideUp(a, b) * b; }

// --- Layers. Layer l maps width l to width l + 1; there are 2 · depth, and the latent layer is layer depth − 1 ---

EIGENAE_SHARED_CODE constexpr int layerCount(const Shape& s) { return 2 * s.depth; }
EIGENAE_SHARED_CODE constexpr int widthOf(const Shape& s, int l) {
  return s.widths[l <= s.depth ? l : 2 * s.depth - l];
}
EIGENAE_SHARED_CODE constexpr bool hasBatchNorm(const Shape& s, int l) { return (s.batchNorm >> l & 1) != 0; }

// Offsets into the parameters, in the layout of State in native/core/trainer.h: for each layer weight [out][in], bias
// [out] and, with batch norm, gamma [out] and beta [out].
EIGENAE_SHARED_CODE constexpr int weightOffset(const Shape& s, int l) {
  int sum = 0;
  for (int i = 0; i < l; ++i) sum += widthOf(s, i + 1) * (widthOf(s, i) + (hasBatchNorm(s, i) ? 3 : 1));
  return sum;
}
EIGENAE_SHARED_CODE constexpr int biasOffset(const Shape& s, int l) {
  return weightOffset(s, l) + widthOf(s, l) * widthOf(s, l + 1);
}
EIGENAE_SHARED_CODE constexpr int parameterCount(const Shape& s) { return weightOffset(s, layerCount(s)); }

// Offset into the running statistics: mean [out] and variance [out] of each layer with batch norm.
EIGENAE_SHARED_CODE constexpr int statisticOffset(const Shape& s, int l) {
  int sum = 0;
  for (int i = 0; i < l; ++i) sum += hasBatchNorm(s, i) ? 2 * widthOf(s, i + 1) : 0;
  return sum;
}
EIGENAE_SHARED_CODE constexpr int statisticCount(const Shape& s) { return statisticOffset(s, layerCount(s)); }

// --- Division among blocks ---

EIGENAE_SHARED_CODE constexpr int quadCount(const Shape& s) { return divideUp(s.widths[0], 64); }
EIGENAE_SHARED_CODE constexpr int sliceCount(const Shape& s) { return 4 * quadCount(s); }
EIGENAE_SHARED_CODE constexpr int slicesOfBlock(const Shape& s) { return sliceCount(s) / s.blocks; }
// Slice i owns the pixels, units or images from i · size on; the last slices may have fewer or none.
EIGENAE_SHARED_CODE constexpr int pixelsOfSlice(const Shape& s) {
  return roundUp(divideUp(s.widths[0], sliceCount(s)), 4);
}
EIGENAE_SHARED_CODE constexpr int unitsOfSlice(const Shape& s) { return divideUp(s.widths[1], sliceCount(s)); }
EIGENAE_SHARED_CODE constexpr int imagesOfSlice(const Shape& s) { return divideUp(s.batch, sliceCount(s)); }
EIGENAE_SHARED_CODE constexpr int pixelsOfBlock(const Shape& s) { return slicesOfBlock(s) * pixelsOfSlice(s); }
EIGENAE_SHARED_CODE constexpr int unitsOfBlock(const Shape& s) { return slicesOfBlock(s) * unitsOfSlice(s); }
EIGENAE_SHARED_CODE constexpr int imagesOfBlock(const Shape& s) { return slicesOfBlock(s) * imagesOfSlice(s); }

// Rows of shared memory whose length is a multiple of 32 floats get 4 more, so that columns fall into different banks.
EIGENAE_SHARED_CODE constexpr int rowStride(int length) { return length % 32 == 0 ? length + 4 : length; }
EIGENAE_SHARED_CODE constexpr int paddedBatch(const Shape& s) { return roundUp(s.batch, 8); }
EIGENAE_SHARED_CODE constexpr int batchStride(const Shape& s) { return rowStride(paddedBatch(s)); }
EIGENAE_SHARED_CODE constexpr int paddedUnits(const Shape& s) { return roundUp(s.widths[1], 4 * s.tiles); }
EIGENAE_SHARED_CODE constexpr int unitStride(const Shape& s) { return rowStride(paddedUnits(s)); }
EIGENAE_SHARED_CODE constexpr int tileUnits(const Shape& s) { return paddedUnits(s) / s.tiles; }
EIGENAE_SHARED_CODE constexpr int paddedLatent(const Shape& s) { return roundUp(s.widths[s.depth], 2); }

// Layer 0 and the last one are divided by pixels. So are, by the hidden units beside the pixels, the weights of layer 1
// and of the penultimate layer. The small layers between these two are divided by images. Their parameters, and the
// vectors of layer 1, are one range of the parameters.
EIGENAE_SHARED_CODE constexpr int penultimateLayer(const Shape& s) { return layerCount(s) - 2; }
EIGENAE_SHARED_CODE constexpr int smallOffset(const Shape& s) { return biasOffset(s, 1); }
EIGENAE_SHARED_CODE constexpr int smallCount(const Shape& s) {
  return weightOffset(s, penultimateLayer(s)) - smallOffset(s);
}
EIGENAE_SHARED_CODE constexpr int smallShare(const Shape& s) { return divideUp(smallCount(s), s.blocks); }
// Offset, in an image's activations, of the input of layer l, for l from 2 to penultimateLayer.
EIGENAE_SHARED_CODE constexpr int activationOffset(const Shape& s, int l) {
  int sum = 0;
  for (int i = 2; i < l; ++i) sum += widthOf(s, i);
  return sum;
}
EIGENAE_SHARED_CODE constexpr int activationCount(const Shape& s) {
  return activationOffset(s, penultimateLayer(s) + 1);
}
EIGENAE_SHARED_CODE constexpr bool smallBatchNorm(const Shape& s, int l) {
  return l >= 1 && l < penultimateLayer(s) && hasBatchNorm(s, l);
}
EIGENAE_SHARED_CODE constexpr bool anySmallBatchNorm(const Shape& s) {
  for (int l = 1; l < penultimateLayer(s); ++l)
    if (hasBatchNorm(s, l)) return true;
  return false;
}
// The widest matrix [batch][width + 1] of the middle that a block keeps for a while.
EIGENAE_SHARED_CODE constexpr int middleStride(const Shape& s) {
  int width = s.widths[2];
  for (int l = 1; l < penultimateLayer(s); ++l)
    if (hasBatchNorm(s, l)) width = larger(width, widthOf(s, l + 1));
  return width + 1;
}

// --- Shared memory of a block of `train`, offsets in floats. Every block has the same layout ---

struct SharedLayout {
  int firstWeight, lastWeight;  // [pixels of the block][unitStride]
  int input, output;            // [pixels of the block][batchStride]: noisy input; gradient of the linear output
  int outputBias;               // [3][pixels of the block]: value and both moments
  int units;                    // [tile's units][batchStride]: the layer beside the pixels, of all blocks
  int middle;                   // [batch][middleStride]; in the place of `units` if there are tiles
  int secondWeight, penultimateWeight;        // [3][units of the block][widths[2]]
  int firstVectors, penultimateVectors;       // [1 or 3: bias, gamma, beta][3][units of the block]
  int firstOutput, firstGradient, firstKept;  // [units of the block][batch]
  int penultimateOutput, penultimateGradient,
      penultimateKept;                 // `kept`: what the backward pass needs of batch norm or SiLU
  int unitStatistics;                  // [2][units of the block]: 1 / deviation
  int small, smallFirst, smallSecond;  // [smallCount] values, [smallShare] moments
  int activations, gradients, kept;    // [images of the block][activationCount]
  int smallStatistics;                 // [activationCount]: 1 / deviation
  int scratch;                         // [scratchFloats]
  int embedding;                       // [batch][latent]
  int eigen;                           // doubles: the workspace of the eigen losses
  int direction;                       // doubles: their gradient, see eigen.h
  int floats;
};

EIGENAE_SHARED_CODE constexpr int lossTiles(const Shape& s) { return pixelsOfBlock(s) / 4 * (paddedBatch(s) / 2); }
// Partial sums: of the squared errors, or of batch norm, statisticParts for each unit and each of two sums.
EIGENAE_SHARED_CODE constexpr int scratchFloats(const Shape& s) {
  return larger(larger(lossTiles(s), workers), 2 * statisticParts * larger(unitsOfBlock(s), middleStride(s)));
}
EIGENAE_SHARED_CODE constexpr int eigenDoubles(const Shape& s) {
  const int latent = paddedLatent(s);
  return 2 * latent * latent + 8 * latent + 96;
}
EIGENAE_SHARED_CODE constexpr int directionDoubles(const Shape& s) {
  const int latent = paddedLatent(s);
  return latent * latent + 2 * latent;
}

EIGENAE_SHARED_CODE constexpr SharedLayout sharedLayout(const Shape& s) {
  const int pixels = pixelsOfBlock(s), units = unitsOfBlock(s), images = imagesOfBlock(s), batch = paddedBatch(s);
  const bool keeps = s.activation == silu;
  SharedLayout at{};
  int end = 0;
  // Everything begins at a multiple of 16 bytes.
  const auto take = [&end](int floats) {
    const int begin = end;
    end += roundUp(floats, 4);
    return begin;
  };
  at.firstWeight = take(pixels * unitStride(s));
  at.lastWeight = take(pixels * unitStride(s));
  at.input = take(pixels * batchStride(s));
  at.output = take(pixels * batchStride(s));
  at.outputBias = take(3 * pixels);
  const int unitFloats = tileUnits(s) * batchStride(s), middleFloats = batch * middleStride(s);
  at.units = take(s.tiles == 1 ? unitFloats : larger(unitFloats, middleFloats));
  at.middle = s.tiles == 1 ? take(middleFloats) : at.units;
  at.secondWeight = take(3 * units * s.widths[2]);
  at.penultimateWeight = take(3 * units * s.widths[2]);
  at.firstVectors = take((hasBatchNorm(s, 0) ? 9 : 3) * units);
  at.penultimateVectors = take((hasBatchNorm(s, penultimateLayer(s)) ? 9 : 3) * units);
  at.firstOutput = take(units * batch);
  at.firstGradient = take(units * batch);
  at.firstKept = take(keeps || hasBatchNorm(s, 0) ? units * batch : 0);
  at.penultimateOutput = take(units * batch);
  at.penultimateGradient = take(units * batch);
  at.penultimateKept = take(keeps || hasBatchNorm(s, penultimateLayer(s)) ? units * batch : 0);
  at.unitStatistics = take(2 * units);
  at.small = take(smallCount(s));
  at.smallFirst = take(smallShare(s));
  at.smallSecond = take(smallShare(s));
  at.activations = take(images * activationCount(s));
  at.gradients = take(images * activationCount(s));
  at.kept = take(keeps || anySmallBatchNorm(s) ? images * activationCount(s) : 0);
  at.smallStatistics = take(anySmallBatchNorm(s) ? activationCount(s) : 0);
  at.scratch = take(scratchFloats(s));
  at.embedding = take(batch * paddedLatent(s));
  at.eigen = take(2 * eigenDoubles(s));
  at.direction = take(2 * directionDoubles(s));
  at.floats = end;
  return at;
}
EIGENAE_SHARED_CODE constexpr int sharedBytes(const Shape& s) { return 4 * sharedLayout(s).floats; }

// Shared memory of a block of `infer`, [width][inferenceImages]: the input, later the output of every second layer, and
// the output of the others; then a sum for each thread.
EIGENAE_SHARED_CODE constexpr int widestHidden(const Shape& s) {
  int width = 0;
  for (int l = 1; l <= s.depth; ++l) width = larger(width, s.widths[l]);
  return width;
}
EIGENAE_SHARED_CODE constexpr int inferenceSharedBytes(const Shape& s) {
  return 4 * (inferenceImages * (larger(s.widths[0], widestHidden(s)) + widestHidden(s)) + 2 * workers);
}

// --- Exchange: global memory of a model, through which its blocks pass values, offsets in floats ---

struct ExchangeLayout {
  int unitSums;    // [blocks][paddedUnits][batch]: partial sums over pixels
  int middleSums;  // [blocks][batch][widths[2]]: partial sums over units
  int embedding;   // [batch][paddedLatent]
  int features;    // [batch][widths[2]]: the input of layer penultimateLayer
  int units;       // [paddedUnits][batch]: output or gradient of the units beside the pixels
  int gradients;   // [batch][widths[2]]: gradient of the output of layer 1
  int smallSums;   // [blocks][smallCount]: partial sums over images of the small layers' gradients
  int small;       // [smallCount]: their new values
  int losses;      // [2][slices][lossParts]: sums of squared errors of even and odd steps
  int linear;      // [batch][activationCount]: linear outputs of the small layers with batch norm
  int floats;
};

EIGENAE_SHARED_CODE constexpr ExchangeLayout exchangeLayout(const Shape& s) {
  const int batch = paddedBatch(s);
  ExchangeLayout at{};
  int end = 0;
  const auto take = [&end](int floats) {
    const int begin = end;
    end += roundUp(floats, 32);
    return begin;
  };
  at.unitSums = take(s.blocks * paddedUnits(s) * batch);
  at.middleSums = take(s.blocks * batch * s.widths[2]);
  at.embedding = take(batch * paddedLatent(s));
  at.features = take(batch * s.widths[2]);
  at.units = take(paddedUnits(s) * batch);
  at.gradients = take(batch * s.widths[2]);
  at.smallSums = take(s.blocks * smallCount(s));
  at.small = take(smallCount(s));
  at.losses = take(2 * sliceCount(s) * lossParts);
  at.linear = take(anySmallBatchNorm(s) ? batch * activationCount(s) : 0);
  at.floats = end;
  return at;
}
EIGENAE_SHARED_CODE constexpr int exchangeBytes(const Shape& s) { return 4 * exchangeLayout(s).floats; }

// --- What fits ---

enum class Refusal {
  none,
  depth,   // the encoder needs at least two layers (one hidden) and at most maximalWidths − 1
  width,   // a width is less than 1, or the shape has too many parameters for 32-bit offsets
  batch,   // more than maximalBatch images, or fewer than 1
  latent,  // more than maximalLatent units
};

EIGENAE_SHARED_CODE constexpr Refusal refusalOf(const Shape& s) {
  if (s.depth < 2 || s.depth >= maximalWidths) return Refusal::depth;
  for (int l = 0; l <= s.depth; ++l)
    if (s.widths[l] < 1 || s.widths[l] > 4096) return Refusal::width;
  if (s.batch < 1 || s.batch > maximalBatch) return Refusal::batch;
  if (s.widths[s.depth] > maximalLatent) return Refusal::latent;
  return Refusal::none;
}

// Sets the smallest number of blocks, and then of tiles, whose shared memory is within the limit in bytes. Returns
// false if there is none.
EIGENAE_SHARED_CODE constexpr bool chooseDivision(Shape& s, int limit) {
  for (s.tiles = 1; s.tiles <= 4; s.tiles *= 2) {
    for (s.blocks = s.tiles == 1 ? quadCount(s) : sliceCount(s); s.blocks <= sliceCount(s); s.blocks *= 2)
      if (sharedBytes(s) <= limit && inferenceSharedBytes(s) <= limit) return true;
  }
  return false;
}

}  // namespace cuda
}  // namespace eigenae
