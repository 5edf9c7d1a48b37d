// Formulas of single elements: pixels and their noise, activations, batch norm and the optimisers. One source serves
// the vector kernels and the graphics card. A Machine (below) has a vector of elements or a single one.
//
// A Machine has
//   Floats, Words, Integers     floats, and unsigned and signed integers of 32 bits
//   toFloats, bitsOf, floatsOf  from Integers, to Words and from Words
//   squareRoot(x)
//   clamped(x, limit)           x between −limit and limit; NaN stays NaN
//   fma(a, b, c)                a · b + c
//   fnma(a, b, c)               c − a · b
//   sumOfProducts(a, b, c, d)   a · b + c · d
// If it has fused multiply-adds, the product of a and b is not rounded. All operands but a and x may be constants.
#pragma once

#ifdef __CUDACC__
#define ELEMENTWISE static __device__ __forceinline__
#else
#define ELEMENTWISE static inline __attribute__((always_inline))
#endif

namespace eigenae {

// The factors of one step of an optimiser, made by stepFactors in core/optimizer_step.cc. For parameters w with the
// gradient g, moments m and v, averages a:
//
//   adam    m += (g − m) · oneMinusBeta1,  v += (g² − v) · oneMinusBeta2,  w −= stepSize · m / (√v + epsilon)
//           stepSize and epsilon include the bias corrections
//   adamW   the same, with w = w · keptShare − stepSize · m / (√v + epsilon) for weights
//   sgd     m = m · momentum + g,  w −= stepSize · (g · gradientShare + m · bufferShare)
//
// The vector kernels move averages at every second step, twice: by the w before the step, then by the w after it. The
// graphics card moves them at every step, by the second line.
//
//   a += (w − a) · averageShareBefore,  a += (w − a) · averageShare
struct OptimizerStep {
  float oneMinusBeta1 = 0, oneMinusBeta2 = 0;
  float stepSize = 0;
  float epsilon = 0, keptShare = 1;
  float momentum = 0, gradientShare = 0, bufferShare = 1;
  float averageShareBefore = 1, averageShare = 1;
};

constexpr unsigned philoxMultiplier0 = 0xD2511F53, philoxMultiplier1 = 0xCD9E8D57;
constexpr unsigned philoxIncrement0 = 0x9E3779B9, philoxIncrement1 = 0xBB67AE85;

// Philox4x32-10 of counter c [4] and key {key0, key1}.
ELEMENTWISE void philox(unsigned* c, unsigned key0, unsigned key1) {
  for (int round = 0; round < 10; ++round) {
    const unsigned long long product0 = static_cast<unsigned long long>(philoxMultiplier0) * c[0];
    const unsigned long long product1 = static_cast<unsigned long long>(philoxMultiplier1) * c[2];
    c[0] = static_cast<unsigned>(product1 >> 32) ^ c[1] ^ key0;
    c[1] = static_cast<unsigned>(product1);
    c[2] = static_cast<unsigned>(product0 >> 32) ^ c[3] ^ key1;
    c[3] = static_cast<unsigned>(product0);
    key0 += philoxIncrement0;
    key1 += philoxIncrement1;
  }
}

template <class Machine>
struct Elementwise {
  using Floats = typename Machine::Floats;
  using Words = typename Machine::Words;
  using Integers = typename Machine::Integers;

  // --- Pixels and noise ---

  // Returns byte / 255, correctly rounded: 1 / 255 is split into two constants and the first product is exact.
  ELEMENTWISE Floats toPixels(Words bytes) {
    const Floats values = Machine::toFloats((Integers)bytes);
    return Machine::sumOfProducts(values, 0x1.01p-8f, values, 0x1.010102p-24f);
  }

  // Returns −2 ln(((w >> 9) + ½) · 2⁻²³) · deviation², the square of a Box–Muller radius. The logarithm of the mantissa
  // m in [√½, √2) is a series in s = (m − 1) / (m + 1).
  ELEMENTWISE Floats squaredRadius(Words w, float minusTwoSquaredDeviation) {
    const Floats uniform = Machine::floatsOf((w >> 9) | 0x3F800000u) - 0x1.fffffep-1f;  // 1 − 2⁻²⁴
    const Integers bits = (Integers)Machine::bitsOf(uniform), exponent = (bits - 0x3F3504F3) >> 23;
    const Floats m = Machine::floatsOf((Words)bits - ((Words)exponent << 23));
    const Floats s = (m - 1.0f) / (m + 1.0f), z = s * s;
    const Floats series = Machine::fma(Machine::fma(Machine::fma(z, 0.2857142857f, 0.4f), z, 0.6666666667f), z, 2.0f);
    return Machine::sumOfProducts(Machine::toFloats(exponent), 0.6931471806f, series, s) * minusTwoSquaredDeviation;
  }

  // Computes the cosine and sine of int32(w) · 2⁻³² turns: reduces w to the nearest quarter turn, evaluates both series
  // in the remainder, and swaps and negates them by the quarter.
  ELEMENTWISE void sinCos(Words w, Floats& cosine, Floats& sine) {
    const Words quarter = w + 0x20000000u;  // the quarter is in the two highest bits
    const Floats x = Machine::toFloats((Integers)(w - (quarter & 0xC0000000u))) * 1.4629180792671596e-9f;  // 2π · 2⁻³²
    const Floats z = x * x;
    const Floats s = Machine::fma(
        Machine::fma(Machine::fma(z, -1.9515295891e-4f, 8.3321608736e-3f), z, -1.6666654611e-1f), z * x, x);
    const Floats c = Machine::fma(
        Machine::fma(Machine::fma(z, 2.443315711809948e-5f, -1.388731625493765e-3f), z, 4.166664568298827e-2f), z * z,
        Machine::fma(z, -0.5f, 1.0f));
    const Words next = quarter << 1, bitsOfS = Machine::bitsOf(s), bitsOfC = Machine::bitsOf(c);
    const Words swap = (bitsOfS ^ bitsOfC) & (Words)((Integers)next >> 31);  // nonzero in every second quarter
    constexpr unsigned sign = 0x80000000u;
    cosine = Machine::floatsOf(bitsOfC ^ swap ^ ((quarter ^ next) & sign));
    sine = Machine::floatsOf(bitsOfS ^ swap ^ (quarter & sign));
  }

  // Adds the two normal numbers of a pair of Philox words.
  ELEMENTWISE void addNormals(Words w0, Words w1, float minusTwoSquaredDeviation, Floats& first, Floats& second) {
    Floats cosine, sine;
    sinCos(w1, cosine, sine);
    const Floats radius = Machine::squareRoot(squaredRadius(w0, minusTwoSquaredDeviation));
    first = Machine::fma(radius, cosine, first);
    second = Machine::fma(radius, sine, second);
  }

  // --- Activations ---

  // Returns e⁻ˣ with a relative error of 2e-7, as 2ⁿ · e⁻ʳ with x = r − n ln 2 and |r| ≤ ½ ln 2. x is clamped, so that
  // the result is a normal number.
  ELEMENTWISE Floats expNegative(Floats x) {
    x = Machine::clamped(x, 87.0f);
    constexpr float magic = 0x1.8p23f;  // adding it rounds to an integer and leaves the integer in the lowest bits
    const Floats shifted = Machine::fma(x, -1.44269504088896341f, magic);
    const Floats r = Machine::fma(shifted - magic, 0.693147180559945f, x);
    const Floats square = r * r;
    const Floats series = Machine::fma(Machine::fma(r, -8.312399225e-3f, 4.189012219e-2f), square,
                                       Machine::fma(r, -1.6667115617e-1f, 4.999923175e-1f));
    const Floats result = Machine::fma(series, square, 1.0f - r);
    return Machine::floatsOf(Machine::bitsOf(result) + (Machine::bitsOf(shifted) << 23));
  }

  ELEMENTWISE Floats sigmoid(Floats x) { return 1.0f / (1.0f + expNegative(x)); }

  // The derivative of y = sigmoid(x).
  ELEMENTWISE Floats sigmoidSlope(Floats y) { return Machine::fnma(y, y, y); }

  // The derivative of x · sigmoid(x).
  ELEMENTWISE Floats siluSlope(Floats x) {
    const Floats s = sigmoid(x);
    return Machine::fma(x * s, 1.0f - s, s);
  }

  // --- Batch norm ---

  // Returns the gradient of the input from that of the output before gamma and beta. scale is gamma / deviation; mean
  // and projection are the means over the batch of gradient and gradient · normalised.
  ELEMENTWISE Floats normaliseBackward(Floats gradient, Floats normalised, Floats scale, Floats mean,
                                       Floats projection) {
    return scale * Machine::fnma(normalised, projection, gradient - mean);
  }

  // --- Optimisers: the formulas of OptimizerStep ---

  // Moves an average, or Adam's first moment, towards a value.
  ELEMENTWISE Floats moved(Floats average, Floats value, Floats share) {
    return Machine::fma(value - average, share, average);
  }

  ELEMENTWISE Floats secondMoment(Floats moment, Floats gradient, Floats share) {
    return Machine::fma(Machine::fma(gradient, gradient, -moment), share, moment);
  }

  ELEMENTWISE Floats adamDenominator(Floats secondMoment, Floats epsilon) {
    return Machine::squareRoot(secondMoment) + epsilon;
  }

  ELEMENTWISE Floats decayed(Floats value, Floats keptShare, Floats change) {
    return Machine::fma(value, keptShare, -change);
  }

  ELEMENTWISE Floats sgdBuffer(Floats buffer, Floats gradient, Floats momentum) {
    return Machine::fma(buffer, momentum, gradient);
  }

  ELEMENTWISE Floats sgdValue(Floats value, Floats gradient, Floats buffer, Floats stepSize, Floats gradientShare,
                              Floats bufferShare) {
    return Machine::fnma(stepSize, Machine::sumOfProducts(gradient, gradientShare, buffer, bufferShare), value);
  }
};

}  // namespace eigenae
