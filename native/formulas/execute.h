// Executes tapes: the straight-line programs that src/formulas makes of a formula, for one width of a layer. One source
// serves the vector kernels, the scalar reference and the graphics card; a Machine (below) has their differences.
//
// An instruction is 7 integers: operation, count, place of the result, place and stride of a, place and stride of b.
// Places are offsets in the scratch, which begins with the tape's constants. A stride is 0 for a scalar and 1 for a
// vector or a matrix. Matrices are symmetric, [width][width]. An element of a result may be in the place of one of a or
// b.
//
// A Machine has
//   lanes, lane()             the number of threads that execute a tape together, and the calling thread's own
//   sync()                    waits for all of them
//   sum(x), largest(x)        combine a value of each of them and return the result to all
//   fma, squareRoot, bitsOf, doubleOf   of doubles, and unsigned integers of 64 bits
//   stopped()                 whether the call is stopped; the results are then meaningless
//   factorise, logDeterminant, invert   of symmetric matrices; PlainDeterminants has them for any machine
#pragma once

#ifdef __CUDACC__
#define FORMULA_CODE static __device__ __forceinline__
#else
#define FORMULA_CODE static inline
#endif
// The elements of a loop are independent of one another, although the compiler cannot know it.
#if defined(__CUDACC__)
#define FORMULA_INDEPENDENT
#elif defined(__clang__)
#define FORMULA_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define FORMULA_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace eigenae {

namespace formula {

enum Operation {
  add,
  subtract,
  multiply,
  divide,
  larger,
  greater,
  exponential,
  logarithm,
  squareRoot,
  sum,             // of count elements
  largest,         // of count elements
  copy,            // count zeros, but element i · bStride is a[i · aStride], for i < b
  offdiagonal,     // a without its diagonal; from here on, count is the width
  outer,           // a aᵀ
  product,         // matrix a · vector b
  cholesky,        // a factor of a + b · I, in the format of the machine, for the next two
  logDeterminant,  // of the matrix whose factor is a
  inverse,         // likewise
};
constexpr int operationCount = inverse + 1, instructionSize = 7;

// Doubles of a factor: two matrices and a vector, whose rows are padded to 8 elements.
constexpr long long paddedStride(long long width) { return (width + 7) / 8 * 8; }
constexpr long long factorSize(long long width) { return (2 * width + 1) * paddedStride(width); }

}  // namespace formula

// Functions are members of templates, so that each machine has its own: those of two instruction sets are never merged.
template <class Machine>
struct FormulaFunctions {
  using Bits = unsigned long long;

  // Returns ln x with an error of about one unit in the last place. With x = m · 2ᵉ and m in [√½, √2), ln m is a series
  // in s = (m − 1) / (m + 1). Without branches, so that it becomes vector instructions. A processor that flushes
  // subnormals to 0 takes them for 0 here too.
  FORMULA_CODE double logarithm(double x) {
    const bool isTiny = x < 2.2250738585072014e-308;
    const Bits bits = Machine::bitsOf(isTiny ? x * 18014398509481984.0 : x);  // 2⁵⁴
    const Bits shifted = bits - 0x3FE6A09E667F3BCDull;
    const double m = Machine::doubleOf(bits - (shifted & 0xFFF0000000000000ull));
    // The integer e + 1024 in the lowest bits of 2⁵² makes a double.
    const Bits biased = (shifted + 0x4000000000000000ull) >> 52;
    const double exponent =
        Machine::doubleOf(0x4330000000000000ull | biased) - 4503599627371520.0 - (isTiny ? 54.0 : 0.0);
    const double s = (m - 1) / (m + 1), z = s * s;
    double series = 1.0 / 21;
    series = Machine::fma(series, z, 1.0 / 19);
    series = Machine::fma(series, z, 1.0 / 17);
    series = Machine::fma(series, z, 1.0 / 15);
    series = Machine::fma(series, z, 1.0 / 13);
    series = Machine::fma(series, z, 1.0 / 11);
    series = Machine::fma(series, z, 1.0 / 9);
    series = Machine::fma(series, z, 1.0 / 7);
    series = Machine::fma(series, z, 1.0 / 5);
    series = Machine::fma(series, z, 1.0 / 3);
    // ln 2 in two parts, the first with zeros in its lowest bits.
    const double lower = Machine::fma(exponent, 1.90821492927058770002e-10, 2 * s * z * series);
    const double result = Machine::fma(exponent, 6.93147180369123816490e-01, 2 * s + lower);
    const double infinity = Machine::doubleOf(0x7FF0000000000000ull), nan = Machine::doubleOf(0x7FF8000000000000ull);
    const double ofOther = x == 0 ? -infinity : nan, ofPositive = x < infinity ? result : x;
    return x > 0 ? ofPositive : ofOther;
  }

  // Returns eˣ with an error of about one unit in the last place: with x = n · ln 2 + r, a polynomial in r times 2ⁿ.
  FORMULA_CODE double exponential(double x) {
    constexpr double magic = 6755399441055744.0;  // 1.5 · 2⁵²: adding it rounds to an integer in the lowest bits
    const double atMost = x > 710 ? 710 : x, within = atMost < -746 ? -746 : atMost;  // NaN stays NaN
    const double n = Machine::fma(within, 1.4426950408889634, magic) - magic;
    const double upper = Machine::fma(n, -6.93147180369123816490e-01, within);
    const double r = Machine::fma(n, -1.90821492927058770002e-10, upper);
    double series = 1.0 / 6227020800.0;
    series = Machine::fma(series, r, 1.0 / 479001600);
    series = Machine::fma(series, r, 1.0 / 39916800);
    series = Machine::fma(series, r, 1.0 / 3628800);
    series = Machine::fma(series, r, 1.0 / 362880);
    series = Machine::fma(series, r, 1.0 / 40320);
    series = Machine::fma(series, r, 1.0 / 5040);
    series = Machine::fma(series, r, 1.0 / 720);
    series = Machine::fma(series, r, 1.0 / 120);
    series = Machine::fma(series, r, 1.0 / 24);
    series = Machine::fma(series, r, 1.0 / 6);
    series = Machine::fma(series, r, 0.5);
    series = Machine::fma(series, r, 1.0);
    series = Machine::fma(series, r, 1.0);
    // 2ⁿ in two factors, as it may be out of range alone.
    const double half = Machine::fma(n, 0.5, magic), rest = n - (half - magic) + magic;
    const double first = Machine::doubleOf((Machine::bitsOf(half) + 1023) << 52);
    const double second = Machine::doubleOf((Machine::bitsOf(rest) + 1023) << 52);
    return series * first * second;
  }

  // Both let NaN pass.
  FORMULA_CODE double larger(double x, double y) { return x > y || x != x ? x : y; }
  FORMULA_CODE double isGreater(double x, double y) { return x > y ? 1 : x <= y ? 0 : x + y; }

  // Eight partial sums, which become vectors, and which round less than one.
  FORMULA_CODE double sum(const Machine& machine, const double* a, int count) {
    double parts[8] = {};
    int i = 8 * machine.lane();
    for (; i + 8 <= count; i += 8 * Machine::lanes) {
      for (int j = 0; j < 8; ++j) parts[j] += a[i + j];
    }
    for (int j = 0; j < 8 && i + j < count; ++j) parts[j] += a[i + j];
    return machine.sum(((parts[0] + parts[4]) + (parts[1] + parts[5])) +
                       ((parts[2] + parts[6]) + (parts[3] + parts[7])));
  }

  // out[j] += sign · Σ shares[k · shareStride] · rows[k · stride + j], for k < count and j < length; four rows at once.
  FORMULA_CODE void addRows(const Machine& machine, const double* rows, int stride, const double* shares,
                            int shareStride, int count, double sign, double* out, int length) {
    int k = 0;
    for (; k + 4 <= count; k += 4, rows += 4 * stride, shares += 4 * shareStride) {
      const double *const r1 = rows + stride, *const r2 = r1 + stride, *const r3 = r2 + stride;
      const double s0 = sign * shares[0], s1 = sign * shares[shareStride], s2 = sign * shares[2 * shareStride],
                   s3 = sign * shares[3 * shareStride];
      FORMULA_INDEPENDENT
      for (int j = machine.lane(); j < length; j += Machine::lanes)
        out[j] += s0 * rows[j] + s1 * r1[j] + s2 * r2[j] + s3 * r3[j];
    }
    for (; k < count; ++k, rows += stride, shares += shareStride) {
      const double share = sign * *shares;
      FORMULA_INDEPENDENT
      for (int j = machine.lane(); j < length; j += Machine::lanes) out[j] += share * rows[j];
    }
  }
};

// Determinants by Cholesky's factorisation UᵀU, row by row. The factor is U [width][width].
template <class Machine>
struct PlainDeterminants {
  using Functions = FormulaFunctions<Machine>;

  // The square of a diagonal element that differs from the shift by no more than rounding is the shift, as in
  // native/kernels/symmetric.h.
  FORMULA_CODE void factorise(const Machine& machine, const double* a, double shift, int width, double* u) {
    for (int k = 0; k < width; ++k) {
      double* const row = u + k * width + k;  // from the diagonal on
      for (int j = machine.lane(); j < k; j += Machine::lanes) u[k * width + j] = 0;
      for (int j = machine.lane(); j < width - k; j += Machine::lanes) row[j] = a[k * width + k + j];
      Functions::addRows(machine, u + k, width, u + k, width, k, -1, row, width - k);
      machine.sync();  // the row is there
      const double square = row[0] + shift, excess = square - shift;
      const double rounding = width * 2.220446049250313e-16 * a[k * width + k];
      const bool isRounding = rounding > 0 && -rounding <= excess && excess <= rounding;
      const double pivot = Machine::squareRoot(isRounding ? shift : square), factor = isRounding ? 0 : 1 / pivot;
      machine.sync();  // all have read its first element
      for (int j = machine.lane(); j < width - k; j += Machine::lanes) row[j] = j == 0 ? pivot : row[j] * factor;
      machine.sync();  // the row is scaled
    }
  }

  FORMULA_CODE double logDeterminant(const Machine& machine, const double* u, int width) {
    double logarithms = 0;
    for (int i = machine.lane(); i < width; i += Machine::lanes) logarithms += Functions::logarithm(u[i * (width + 1)]);
    return 2 * machine.sum(logarithms);
  }

  // (UᵀU)⁻¹ = XᵀX with the lower triangular X = U⁻ᵀ, which is computed row by row and multiplied in place. Each thread
  // computes columns of its own.
  FORMULA_CODE void invert(const Machine& machine, double* u, int width, double* out) {
    for (int k = 0; k < width; ++k) {
      double* const row = out + k * width;
      for (int j = machine.lane(); j < width; j += Machine::lanes) row[j] = j == k ? 1 : 0;
      Functions::addRows(machine, out, width, u + k, width, k, -1, row, k);
      const double factor = 1 / u[k * width + k];
      for (int j = machine.lane(); j <= k; j += Machine::lanes) row[j] *= factor;
    }
    machine.sync();  // the rows are there
    for (int i = 0; i < width; ++i) {
      double *const row = out + i * width, *const below = row + width;
      const double own = row[i];
      machine.sync();  // all have read it
      for (int j = machine.lane(); j <= i; j += Machine::lanes) row[j] *= own;
      Functions::addRows(machine, below, width, below + i, width, width - i - 1, 1, row, i + 1);
      for (int j = machine.lane(); j < i; j += Machine::lanes) out[j * width + i] = row[j];  // no later row reads it
    }
  }
};

#define FORMULA_LOOP(X, Y, EXPRESSION)                           \
  FORMULA_INDEPENDENT                                            \
  for (int i = machine.lane(); i < count; i += Machine::lanes) { \
    const double x = X, y = Y;                                   \
    (void)y, out[i] = EXPRESSION;                                \
  }
// One loop for each pair of strides, so that each becomes vector instructions; a thread among others has one loop for
// all.
#define FORMULA_EACH(OPERATION, EXPRESSION)                    \
  case formula::OPERATION:                                     \
    if (Machine::lanes > 1) {                                  \
      FORMULA_LOOP(a[i * aStride], b[i * bStride], EXPRESSION) \
    } else if (aStride == 1 && bStride == 1) {                 \
      FORMULA_LOOP(a[i], b[i], EXPRESSION)                     \
    } else if (aStride == 1) {                                 \
      const double right = *b;                                 \
      FORMULA_LOOP(a[i], right, EXPRESSION)                    \
    } else {                                                   \
      const double left = *a;                                  \
      FORMULA_LOOP(left, b[i * bStride], EXPRESSION)           \
    }                                                          \
    break;

// Executes the instructions of a tape. The scratch has the constants and inputs at their places.
template <class Machine>
#ifdef __CUDACC__
__device__
#endif
    inline void
    executeFormula(const Machine& machine, const int* code, int instructions, double* scratch) {
  using Functions = FormulaFunctions<Machine>;
  for (const int* end = code + instructions * formula::instructionSize; code != end; code += formula::instructionSize) {
    if (machine.stopped()) return;
    const int count = code[1], aStride = code[4], bStride = code[6];
    double* const out = scratch + code[2];
    double* const a = scratch + code[3];
    const double* const b = scratch + code[5];
    switch (code[0]) {
      FORMULA_EACH(add, x + y)
      FORMULA_EACH(subtract, x - y)
      FORMULA_EACH(multiply, x * y)
      FORMULA_EACH(divide, x / y)
      FORMULA_EACH(larger, Functions::larger(x, y))
      FORMULA_EACH(greater, Functions::isGreater(x, y))
      FORMULA_EACH(exponential, Functions::exponential(x))
      FORMULA_EACH(logarithm, Functions::logarithm(x))
      FORMULA_EACH(squareRoot, Machine::squareRoot(x))
      case formula::sum: {
        const double total = Functions::sum(machine, a, count);
        if (machine.lane() == 0) *out = total;
        break;
      }
      case formula::largest: {
        double most = a[0];
        for (int i = machine.lane(); i < count; i += Machine::lanes) most = Functions::larger(most, a[i]);
        most = machine.largest(most);
        if (machine.lane() == 0) *out = most;
        break;
      }
      case formula::copy:
        for (int i = machine.lane(); i < count; i += Machine::lanes) out[i] = 0;
        machine.sync();  // the zeros are there
        for (int i = machine.lane(); i < code[5]; i += Machine::lanes) out[i * bStride] = a[i * aStride];
        break;
      case formula::offdiagonal:
        for (int i = machine.lane(); i < count * count; i += Machine::lanes) out[i] = a[i];
        machine.sync();  // the copy is there
        for (int i = machine.lane(); i < count; i += Machine::lanes) out[i * (count + 1)] = 0;
        break;
      case formula::outer:
        for (int i = 0; i < count; ++i) {
          FORMULA_INDEPENDENT
          for (int j = machine.lane(); j < count; j += Machine::lanes) out[i * count + j] = a[i] * a[j];
        }
        break;
      case formula::product:
        for (int j = machine.lane(); j < count; j += Machine::lanes) out[j] = 0;
        Functions::addRows(machine, a, count, b, 1, count, 1, out, count);  // a is symmetric
        break;
      case formula::cholesky:
        Machine::factorise(machine, a, *b, count, out);
        break;
      case formula::logDeterminant: {
        const double value = Machine::logDeterminant(machine, a, count);
        if (machine.lane() == 0) *out = value;
        break;
      }
      case formula::inverse:
        Machine::invert(machine, a, count, out);
        break;
    }
    machine.sync();  // the result is there
  }
}

#undef FORMULA_EACH
#undef FORMULA_LOOP

}  // namespace eigenae
