// The arguments of the kernels, which the host writes to global memory. All pointers are addresses on the card. Floats
// and counts are those of native/core/trainer.h; arrays are row-major, and no pointer but `exchange` needs more than
// its element's alignment.
#pragma once

#include "shape.h"

namespace eigenae {
namespace cuda {

// The rows of the table in eigen_losses.h. `parameter` is top-k's k, and the epsilon of log-det, kl-normal and
// kl-diagonal; the others have none.
enum EigenLossKind { topK, logMax, entropy, logDet, klNormal, klDiagonal, variance, covariance, decorrelation };

// An eigen loss on the latent layer. A loss on hidden layers does not fit.
struct Term {
  int kind;           // EigenLossKind
  int center;         // 1: about the batch's mean. Kinds that always are ignore it
  int minimumImages;  // a batch of fewer images trains without this term
  int reserved;
  double parameter;
};

enum OptimizerKind { adam, sgd };  // adam is AdamW too: a keptShare other than 1 decays the weights

// OptimizerStep in native/kernels/kernels.h, computed by stepFactors in native/core/optimizer_step.cc.
struct StepFactors {
  float oneMinusBeta1, oneMinusBeta2;
  float stepSize;
  float epsilon, keptShare;
  float momentum, gradientShare, bufferShare;
  float averageShare;  // 1 at a training's first step
};

// A model's training for a chunk of steps: an element of the argument of `train`. Models of a launch share the module
// and nothing else; each has its own number of steps. The kernel reads this structure, and writes only through the
// pointers that are not to const.
struct Training {
  // State. Read at the beginning of a launch and written by its end, averages and running statistics at every step.
  float* parameters;          // [parameterCount]
  float* firstMoments;        // [parameterCount]; SGD's buffers
  float* secondMoments;       // [parameterCount]; SGD leaves them as they are
  float* averages;            // [parameterCount], or null without averaging. The host sets them to 0 before step 1
  float* runningStatistics;   // [statisticCount], or null without batch norm
  float* averagedStatistics;  // [statisticCount], or null without batch norm or averaging. 0 before step 1

  // Either images and their order, to which the kernel adds noise: image order[i]'s pixel is byte / 255 + noise · N(0,
  // 1) by seed, purpose (trainingNoise of native/core/random.h), epoch and the image's number …
  const unsigned char* images;  // [any][inputs]
  const unsigned* order;        // [imageCount]
  // … or given batches; the pointers of the other kind are null.
  const float* clean;  // [imageCount][inputs]
  const float* noisy;  // [imageCount][inputs]

  const StepFactors* factors;  // [steps]
  const double* weights;       // [steps][termCount]; a term with weight 0 is not computed. Null without terms

  // Written at every step: [steps][1 + termCount], the batch's mean squared error over images and pixels, then each
  // term's unweighted value, 0 if the batch does not have it. NaN if the training has diverged.
  double* losses;

  float* exchange;    // [exchangeBytes(shape)], aligned to 128 bytes, of this model alone. Its contents do not matter
  unsigned* counter;  // of this model alone, 128 bytes from others. The host sets it to 0 before every launch

  int imageCount;  // of the epoch, or of all given batches
  int firstImage;  // where in them the first step begins; step s has images firstImage + s · batch …, at most `batch`
  int steps;       // of this launch; 0 is allowed
  int optimizer;   // OptimizerKind
  int termCount;
  float slope;  // of leaky ReLU
  float noise;  // standard deviation; 0 for none
  unsigned seed, purpose, epoch;
  Term terms[maximalTerms];
};

// extern "C" __global__ void train(const Training* models)

enum InferenceMode {
  embeddings,       // outputs [count][latent]
  linearOutputs,    // outputs [count][hidden units]: of the hidden layers' linear maps with bias, before batch norm and
                    // activation, layer by layer in the order of the forward pass
  reconstructions,  // outputs [count][inputs]
  squaredErrors,  // sums [⌈count / inferenceImages⌉]: Σ (reconstruction(x + noise) − x)² over the images of a tile and
                  // all pixels. The mean squared error is their sum in ascending order / (count · inputs)
};

// A forward pass with batch norm in inference mode: the argument of `infer`. Any grid gives the same bytes. Noise is
// added in mode squaredErrors alone; image i of the call has the noise of image firstImage + i.
struct Inference {
  const float* parameters;         // [parameterCount]: the averages if there are any
  const float* runningStatistics;  // [statisticCount], likewise; null without batch norm
  const unsigned char* bytes;      // [count][inputs], or null
  const float* floats;             // [count][inputs], or null
  float* outputs;
  double* sums;
  int count;
  int mode;  // InferenceMode
  int firstImage;
  float slope;
  float noise;
  unsigned seed, purpose, epoch;
};

// extern "C" __global__ void infer(const Inference* call)

}  // namespace cuda
}  // namespace eigenae
