// Formulas on vectors: the machine of ../formulas/execute.h for one thread of an instruction set.
#pragma once

#include "../formulas/execute.h"
#include "symmetric.h"

namespace eigenae {
namespace {

struct VectorMachine {
  static constexpr int lanes = 1;

  const std::int32_t* stop;

  static int lane() { return 0; }
  static void sync() {}
  static double sum(double x) { return x; }
  static double largest(double x) { return x; }
  static double fma(double a, double b, double c) { return a * b + c; }  // contracted if the instruction set has it
  static double squareRoot(double x) { return __builtin_sqrt(x); }
  static std::uint64_t bitsOf(double x) {
    std::uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
  }
  static double doubleOf(std::uint64_t bits) {
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
  }
  bool stopped() const { return isStopped(stop); }

  // A factor L: its columns, as many for the columns of L⁻¹, and the inverse of its diagonal.
  struct Factor {
    std::size_t stride;
    double *lower, *inverse, *scales;

    Factor(double* place, int width)
        : stride(formula::paddedStride(width)),
          lower(place),
          inverse(place + width * stride),
          scales(inverse + width * stride) {}
  };

  static void factorise(const VectorMachine& machine, const double* a, double shift, int width, double* factor) {
    const Factor to(factor, width);
    eigenae::factorise(a, to.stride, width, shift, to.lower, to.scales, machine.stop);
  }

  static double logDeterminant(const VectorMachine&, double* factor, int width) {
    const double* scales = Factor(factor, width).scales;
    double sum = 0;
    for (int i = 0; i < width; ++i) sum -= FormulaFunctions<VectorMachine>::logarithm(scales[i]);
    return 2 * sum;
  }

  // (L Lᵀ)⁻¹ = L⁻ᵀ L⁻¹
  static void invert(const VectorMachine& machine, double* factor, int width, double* out) {
    const Factor from(factor, width);
    int column = 0;
    for (; column + 4 <= width; column += 4) {
      if (machine.stopped()) return;
      substitute<4>(from.lower, from.scales, from.stride, width, column, from.inverse + column * from.stride);
    }
    for (; column < width; ++column) {
      substitute<1>(from.lower, from.scales, from.stride, width, column, from.inverse + column * from.stride);
    }
    multiplyColumns(from.inverse, from.stride, width, true, 1, out, width, machine.stop);
  }
};

void runFormula(const int* code, int instructions, double* scratch, const std::int32_t* stop) {
  executeFormula(VectorMachine{stop}, code, instructions, scratch);
}

}  // namespace
}  // namespace eigenae
