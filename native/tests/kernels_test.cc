// Every kernel of every instruction set that this machine has, against its definition on odd sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "../core/instruction_set.h"
#include "../core/kernel_use.h"
#include "../core/prepared.h"
#include "../core/random.h"
#include "../core/sparse_factor.h"
#include "panels.h"
#include "reference/adam.h"

namespace eigenae {

void PrintTo(const InstructionSet& set, std::ostream* out) { *out << set.name; }

namespace {

using testing::PanelMatrix;
using testing::randomMatrix;

const int oddSizes[] = {1, 3, 5, 7, 13, 17, 31, 64, 97};

// All pairs of them, and two that are larger than what any kernel does in one go.
std::vector<std::pair<int, int>> shapes() {
  std::vector<std::pair<int, int>> pairs{{70, 301}, {301, 70}};
  for (const int first : oddSizes) {
    for (const int second : oddSizes) pairs.emplace_back(first, second);
  }
  return pairs;
}

class Kernel : public ::testing::TestWithParam<InstructionSet> {
 protected:
  const Kernels& kernels() const { return *GetParam().kernels; }
  int width() const { return kernels().panelColumns; }
  PreparedFactor prepared(PanelMatrix& b, int depth, int columns = 1) {
    const int panels = (columns + width() - 1) / width();
    prepared_.reserve(depth, panels);
    return prepared_(b.data(), b.stride(), depth, panels);
  }

 private:
  const KernelUse use_{kernels()};
  Prepared prepared_{kernels()};
};

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Kernel, ::testing::ValuesIn(supportedInstructionSets()),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// Beside the sum of the sizes of their products: three to four roundings of float32 sums of these depths, or the parts of
// a product that tiles leave out and as many roundings.
constexpr double exactness = 4 * 0x1p-24;

// The product of two rows of numbers, and how large it can be beside rounding.
struct Product {
  double sum = 0, size = 0;

  void add(double a, double b) {
    sum += a * b;
    size += std::abs(a * b);
  }
};

TEST_P(Kernel, MultiplyIsTheProductToAFloatsPrecisionAndAddsIt) {
  for (const auto& [rows, depth] : shapes()) {
    PanelMatrix a(kernels(), rows, depth, 1), b(kernels(), depth, width(), 2), out(kernels(), rows, width());
    PanelMatrix twice(kernels(), rows, width());
    const float* factor = prepared(b, depth).data;
    kernels().multiply(a.data(), a.stride(), rows, depth, factor, false, out.data());
    kernels().multiply(a.data(), a.stride(), rows, depth, factor, false, twice.data());
    kernels().multiply(a.data(), a.stride(), rows, depth, factor, true, twice.data());
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < width(); ++c) {
        Product product;
        for (int k = 0; k < depth; ++k) product.add(a.at(r, k), b.at(k, c));
        ASSERT_NEAR(out.at(r, c), product.sum, exactness * product.size) << rows << " rows, depth " << depth;
        ASSERT_EQ(twice.at(r, c), 2 * out.at(r, c)) << rows << " rows, depth " << depth;
      }
    }
  }
}

TEST_P(Kernel, MultiplyTransposedIsTheProductToAFloatsPrecision) {
  for (const auto& [columns, depth] : shapes()) {
    PanelMatrix a(kernels(), depth, columns, 1), b(kernels(), depth, width(), 2), out(kernels(), columns, width());
    kernels().multiplyTransposed(a.data(), a.stride(), columns, depth, b.data(), out.data());
    for (int r = 0; r < columns; ++r) {
      for (int c = 0; c < width(); ++c) {
        Product product;
        for (int k = 0; k < depth; ++k) product.add(a.at(k, r), b.at(k, c));
        ASSERT_NEAR(out.at(r, c), product.sum, exactness * product.size) << columns << " columns, depth " << depth;
      }
    }
  }
}

// A matrix of which so many numbers in a hundred are not 0; of some rows none is.
class SparseMatrixCase {
 public:
  SparseMatrixCase(const Kernels& kernels, int rows, int depth, int percent)
      : factor(kernels, rows + 2, depth + 3), dense(kernels, rows, depth, 1) {
    std::uint32_t draw = 7;
    for (int r = 0; r < rows; ++r) {
      for (int k = 0; k < depth; ++k) {
        draw = draw * 1664525u + 1013904223u;
        if (r % 5 == 3 || static_cast<int>((draw >> 16) % 100) >= percent) dense.at(r, k) = 0;
      }
    }
    factor.list(dense.data(), dense.stride(), rows, depth);
  }

  SparseFactor factor;
  PanelMatrix dense;
};

TEST_P(Kernel, ListNonZerosLeavesOutZerosAlone) {
  for (const auto& [rows, depth] : shapes()) {
    for (const int percent : {0, 30, 100}) {
      SparseMatrixCase a(kernels(), rows, depth, percent);
      PanelMatrix listed(kernels(), rows, depth);
      const SparseMatrix& matrix = a.factor.matrix();
      std::size_t row = 0, at = 0;
      for (int begin = 0; begin < depth; begin += SparseMatrix::chunk) {
        for (int r = 0; r < rows; ++r, ++row) {
          for (; at < matrix.ends[row]; ++at) {
            ASSERT_NE(matrix.values[at], 0);
            ASSERT_EQ(matrix.places[at] % width(), 0u);
            const int column = begin + static_cast<int>(matrix.places[at]) / width();
            ASSERT_LT(column, depth);
            listed.at(r, column) += matrix.values[at];
          }
        }
      }
      for (int r = 0; r < rows; ++r) {
        for (int k = 0; k < depth; ++k) ASSERT_EQ(listed.at(r, k), a.dense.at(r, k)) << rows << " rows, depth " << depth;
      }
    }
  }
}

// Of a row with few numbers all may be of one sign: then its sums are as large as the sum of the sizes from the start.
TEST_P(Kernel, MultiplySparseIsTheProductToAFloatsPrecision) {
  for (const auto& [rows, depth] : shapes()) {
    const int columns = rows * depth % 150 + 1, panels = (columns + width() - 1) / width();
    SparseMatrixCase a(kernels(), rows, depth, 30);
    PanelMatrix b(kernels(), depth, columns, 2), out(kernels(), rows, columns, 3);
    kernels().multiplySparse(a.factor.matrix(), b.data(), b.stride(), panels, out.data(), out.stride());
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) {
        Product product;
        for (int k = 0; k < depth; ++k) product.add(a.dense.at(r, k), b.at(k, c));
        ASSERT_NEAR(out.at(r, c), product.sum, 2 * exactness * product.size) << rows << " rows, depth " << depth;
      }
    }
  }
}

TEST_P(Kernel, MultiplyWhereListedIsTheProductAtTheListAndSpreadPartsPutsItThere) {
  for (const auto& [rows, depth] : shapes()) {
    const int columns = rows * depth % 150 + 1, panels = (columns + width() - 1) / width();
    SparseMatrixCase a(kernels(), rows, depth, 30);
    PanelMatrix x(kernels(), rows, columns, 2), w(kernels(), depth, columns, 3);
    const AlignedFloats once = alignedFloats(rows * depth + 15), twice = alignedFloats(rows * depth + 15);
    for (const bool add : {false, true}) {
      for (float* out : {once.get(), twice.get()}) {
        if (add && out == once.get()) continue;
        kernels().multiplyWhereListed(a.factor.matrix(), x.data(), x.stride(), w.data(), w.stride(), panels, add, out);
      }
    }
    for (int firstRow = 0; firstRow < rows; firstRow += width()) {
      PanelMatrix spread(kernels(), depth, width(), 4);
      kernels().spreadParts(a.factor.matrix(), {{once.get(), twice.get()}, 2, {1, 1}}, firstRow, spread.data());
      for (int c = 0; c < width(); ++c) {
        for (int k = 0; k < depth; ++k) {
          const int r = firstRow + c;
          Product product;
          if (r < rows && a.dense.at(r, k) != 0) {
            for (int i = 0; i < columns; ++i) product.add(x.at(r, i), w.at(k, i));
          }
          ASSERT_NEAR(spread.at(k, c), 3 * product.sum, 3 * exactness * product.size) << rows << " rows, depth " << depth;
        }
      }
    }
  }
}

TEST_P(Kernel, MultiplyWhereListedOfNoPanelsIsZero) {
  SparseMatrixCase a(kernels(), 5, 7, 100);
  std::vector<float> out(5 * 7, 3);
  PanelMatrix unused(kernels(), 7, 1);
  kernels().multiplyWhereListed(a.factor.matrix(), unused.data(), unused.stride(), unused.data(), unused.stride(), 0,
                                false, out.data());
  for (std::size_t i = 0; i < a.factor.matrix().ends[4]; ++i) EXPECT_EQ(out[i], 0);
}

struct TrainedMatrix {
  PanelMatrix w, m, v;

  TrainedMatrix(const Kernels& kernels, int rows, int columns)
      : w(kernels, rows, columns, 3), m(kernels, rows, columns), v(kernels, rows, columns) {}
  Trained places() { return {w.data(), m.data(), v.data()}; }
};

// Whether `trained` is what Adam's first step makes of a new one by the gradient d · b.
void expectFirstStep(TrainedMatrix& trained, TrainedMatrix& before, PanelMatrix& d, PanelMatrix& b, int rows, int depth,
                     int columns) {
  std::vector<float> gradient, parameters, first(rows * columns), second(rows * columns);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) {
      float sum = 0;
      for (int k = 0; k < depth; ++k) sum += d.at(r, k) * b.at(k, c);
      gradient.push_back(sum);
      parameters.push_back(before.w.at(r, c));
    }
  }
  adamStep(AdamSpec(), 1, gradient.data(), gradient.size(), parameters.data(), first.data(), second.data());
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) {
      const int i = r * columns + c;
      ASSERT_NEAR(trained.m.at(r, c), first[i], 1e-5) << rows << " rows, depth " << depth;
      ASSERT_NEAR(trained.v.at(r, c), second[i], 1e-5 * std::abs(second[i]) + 1e-6);
      if (std::abs(gradient[i]) > 1e-3) {
        ASSERT_NEAR(trained.w.at(r, c), parameters[i], 1e-5);
      }
    }
  }
}

const AdamStep firstStep{0.1f, 0.001f, 0.005f * std::sqrt(1 - 0.999f) / 0.1f, 1e-8f * std::sqrt(1 - 0.999f)};

TEST_P(Kernel, TrainWeightsIsAdamOnTheProduct) {
  for (const auto& [rows, depth] : shapes()) {
    const int columns = rows * depth % 41 + 1;
    PanelMatrix d(kernels(), rows, depth, 1), b(kernels(), depth, columns, 2);
    TrainedMatrix before(kernels(), rows, columns), trained(kernels(), rows, columns);
    const PreparedFactor factor = prepared(b, depth, columns);
    kernels().trainWeights(d.data(), d.stride(), rows, depth, factor.data, factor.stride, columns, trained.places(),
                           trained.w.stride(), firstStep);
    expectFirstStep(trained, before, d, b, rows, depth, columns);
  }
}

TEST_P(Kernel, TrainWeightsSparseIsAdamOnTheProduct) {
  for (const auto& [rows, depth] : shapes()) {
    const int columns = rows * depth % 150 + 1, panels = (columns + width() - 1) / width();
    SparseMatrixCase d(kernels(), rows, depth, 30);
    PanelMatrix b(kernels(), depth, columns, 2);
    TrainedMatrix before(kernels(), rows, columns), trained(kernels(), rows, columns);
    kernels().trainWeightsSparse(d.factor.matrix(), b.data(), b.stride(), panels, trained.places(), trained.w.stride(),
                                 firstStep);
    expectFirstStep(trained, before, d.dense, b, rows, depth, columns);
  }
}

// From 0 on, so that a parameter is as exact as its update is.
TEST_P(Kernel, TrainWeightsMovesParametersByTheirMomentsToAFloatsPrecision) {
  const AdamStep step{0.1f, 0.001f, 0.0016f, 3e-10f};
  for (const auto& [rows, depth] : {std::pair{1, 1}, {17, 31}, {97, 64}, {70, 301}}) {
    constexpr int columns = 37;
    PanelMatrix d(kernels(), rows, depth, 1), b(kernels(), depth, columns, 2);
    PanelMatrix w(kernels(), rows, columns), m(kernels(), rows, columns, 3), v(kernels(), rows, columns, 4);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) v.at(r, c) *= v.at(r, c);
    }
    const PreparedFactor factor = prepared(b, depth, columns);
    kernels().trainWeights(d.data(), d.stride(), rows, depth, factor.data, factor.stride, columns,
                           {w.data(), m.data(), v.data()}, w.stride(), step);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) {
        const double update = step.rate * double{m.at(r, c)} / (std::sqrt(double{v.at(r, c)}) + step.epsilon);
        ASSERT_NEAR(w.at(r, c), -update, 5 * 0x1p-23 * std::abs(update)) << rows << " rows, depth " << depth;
      }
    }
  }
}

TEST_P(Kernel, TrainArrayIsAdamOnUnalignedArrays) {
  const AdamSpec spec;
  const float rootCorrection = std::sqrt(1 - 0.999f);
  const AdamStep step{0.1f, 0.001f, 0.005f * rootCorrection / 0.1f, 1e-8f * rootCorrection};
  for (const int count : oddSizes) {
    const auto numbers = randomMatrix(4, count + 1, 9);
    std::vector<float> gradient(count + 1), w(count + 1), m(count + 1), v(count + 1);
    for (int i = 0; i <= count; ++i) {
      gradient[i] = static_cast<float>(numbers[i]);
      w[i] = static_cast<float>(numbers[count + 1 + i]);
    }
    auto w2 = w, m2 = m, v2 = v;
    adamStep(spec, 1, gradient.data() + 1, count, w2.data() + 1, m2.data() + 1, v2.data() + 1);
    kernels().trainArray(gradient.data() + 1, count, {w.data() + 1, m.data() + 1, v.data() + 1}, step);
    for (int i = 0; i <= count; ++i) {
      EXPECT_NEAR(w[i], w2[i], 1e-6);
      EXPECT_NEAR(m[i], m2[i], 1e-7);
      EXPECT_NEAR(v[i], v2[i], 1e-7);
    }
  }
}

TEST_P(Kernel, FillInputIsTheImagesAndTheNoiseTheyName) {
  for (const int inputs : {1, 3, 4, 7, 30, 97}) {
    std::vector<std::uint8_t> bytes(1 + 50 * inputs);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37);
    std::vector<std::uint32_t> index;
    for (int c = 0; c < width(); ++c) index.push_back(static_cast<std::uint32_t>(c * 7 % 50));
    const std::uint8_t* unaligned = bytes.data() + 1;
    PanelMatrix input(kernels(), inputs, width());
    for (const float deviation : {0.0f, 0.2f, 1.0f}) {
      const std::size_t stride = inputs;
      const NoisyInput from{unaligned, stride, stride, index.data(), 11, 3, 5, deviation};
      kernels().fillInput(from, 0, 1, input.data());
      kernels().fillInput(from, 1, (inputs + 3) / 4, input.data());
      for (int r = 0; r < inputs; ++r) {
        for (int c = 0; c < width(); ++c) {
          const float pixel = static_cast<float>(unaligned[index[c] * inputs + r]) / 255.0f;
          const float noise = normals(11, 3, 5, index[c], static_cast<std::uint32_t>(r / 4))[r % 4];
          ASSERT_NEAR(input.at(r, c), pixel + deviation * noise, 2e-6);
        }
      }
    }
  }
}

TEST_P(Kernel, ReadPixelsGivesFractionsOf255) {
  constexpr std::size_t imageStride = 83;
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < 11 * imageStride; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 7));
  const std::vector<std::uint32_t> index{9, 3, 4, 4, 0};
  for (int count = 1; count <= width(); ++count) {
    PanelMatrix pixels(kernels(), static_cast<int>(index.size()), width());
    kernels().readPixels(bytes.data() + 1, imageStride, index.data(), 5, count, pixels.data());
    for (int i = 0; i < 5; ++i) {
      for (int c = 0; c < width(); ++c) {
        const std::size_t at = 1 + index[i] * imageStride + c;
        EXPECT_EQ(pixels.at(i, c), c < count ? static_cast<float>(bytes[at]) / 255.0f : 0);
      }
    }
  }
}

TEST_P(Kernel, NoiseIsStandardNormalAndExactInItsTails) {
  double sum = 0, squares = 0, worst = 0;
  constexpr int inputs = 4000, panels = 4;
  std::vector<std::uint8_t> bytes(inputs);
  PanelMatrix input(kernels(), inputs, width());
  for (std::uint32_t epoch = 0; epoch < panels; ++epoch) {
    std::vector<std::uint32_t> index(width(), 0);
    const NoisyInput from{bytes.data(), inputs, inputs, index.data(), 1, 3, epoch, 1.0f};
    kernels().fillInput(from, 0, inputs / 4, input.data());
    for (int r = 0; r < inputs; ++r) {
      const double value = input.at(r, 0);
      worst = std::max(worst, std::abs(value - normals(1, 3, epoch, 0, static_cast<std::uint32_t>(r / 4))[r % 4]));
      sum += value;
      squares += value * value;
    }
  }
  EXPECT_LT(worst, 2e-6);
  EXPECT_NEAR(sum / (inputs * panels), 0, 0.03);
  EXPECT_NEAR(squares / (inputs * panels), 1, 0.04);
}

TEST_P(Kernel, SigmoidLossIsTheSquaredErrorAndItsGradient) {
  for (const int rows : oddSizes) {
    for (const int valid : {1, width() / 2 + 1, width()}) {
      PanelMatrix x(kernels(), rows, width(), 4), target(kernels(), rows, width(), 5);
      for (int c = 0; c < width(); ++c) x.at(0, c) *= 60;  // far into both ends
      PanelMatrix before(kernels(), rows, width());
      std::memcpy(before.data(), x.data(), sizeof(float) * x.stride());
      std::vector<float> bias;
      for (int c = 0; c < width(); ++c) bias.push_back(0.1f * static_cast<float>(c % 5));
      const float loss = kernels().sigmoidLoss(target.data(), bias.data(), rows, valid, 0.5f, x.data());
      double expected = 0;
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < width(); ++c) {
          const double y = 1 / (1 + std::exp(-static_cast<double>(before.at(r, c) + bias[c])));
          const double difference = c < valid ? y - target.at(r, c) : 0;
          expected += difference * difference;
          ASSERT_NEAR(x.at(r, c), 0.5 * difference * y * (1 - y), 5e-7);
        }
      }
      EXPECT_NEAR(loss, expected, 1e-5 * expected + 1e-6);
    }
  }
}

TEST_P(Kernel, TransposeAndSumsLeaveOutWhatIsNotThere) {
  for (const int rows : oddSizes) {
    for (const int columns : oddSizes) {
      PanelMatrix x(kernels(), rows, columns, 6), out(kernels(), columns, rows);
      for (int p = 0; p * width() < columns; ++p) {
        kernels().transpose(x.panel(p), rows, out.data() + static_cast<std::size_t>(p) * width() * width(),
                            out.stride());
      }
      std::vector<float> sums(rows);
      kernels().rowSums(x.data(), x.stride(), rows, columns, sums.data());
      for (int r = 0; r < rows; ++r) {
        double sum = 0;
        for (int c = 0; c < columns; ++c) {
          EXPECT_EQ(out.at(c, r), x.at(r, c));
          sum += x.at(r, c);
        }
        EXPECT_NEAR(sums[r], sum, 1e-5);
      }
      sums.assign(columns, 0);
      kernels().columnSums(x.data(), x.stride(), rows, columns, sums.data());
      for (int c = 0; c < columns; ++c) {
        double sum = 0;
        for (int r = 0; r < rows; ++r) sum += x.at(r, c);
        EXPECT_NEAR(sums[c], sum, 1e-5);
      }
    }
  }
}

TEST_P(Kernel, SumPartsAddsGroupByGroup) {
  constexpr int rows = 37;
  std::vector<PanelMatrix> memory;
  for (std::uint32_t i = 0; i < 8; ++i) memory.emplace_back(kernels(), rows, width(), i + 1);
  PanelMatrix out(kernels(), rows, width());
  for (const auto& [first, second] : {std::pair{1, 1}, {3, 3}, {4, 4}, {1, 4}}) {
    Parts parts{{}, 2, {first, second}};
    for (int i = 0; i < first + second; ++i) parts.parts[i] = memory[i].data();
    kernels().sumParts(parts, rows, out.data());
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < width(); ++c) {
        float x = memory[0].at(r, c), y = memory[first].at(r, c);
        for (int i = 1; i < first; ++i) x += memory[i].at(r, c);
        for (int i = 1; i < second; ++i) y += memory[first + i].at(r, c);
        ASSERT_EQ(out.at(r, c), x + y) << first << " and " << second << " parts";
      }
    }
  }
}

// Which of the two happens depends on the number of threads.
TEST_P(Kernel, AProductAddsUpToTheSameBitsWhetherItIsAddedToAnotherOrItsOwn) {
  constexpr int rows = 37;
  for (const int depth : {1, 31, 64, 129, 160, 301}) {
    PanelMatrix first(kernels(), rows, width()), second(kernels(), rows, width()), both(kernels(), rows, width());
    const auto multiply = [&](std::uint32_t seed, bool add, PanelMatrix& to) {
      PanelMatrix a(kernels(), rows, depth, seed), b(kernels(), depth, width(), seed + 1);
      kernels().multiply(a.data(), a.stride(), rows, depth, prepared(b, depth).data, add, to.data());
    };
    multiply(1, false, first);
    multiply(3, false, second);
    multiply(1, false, both);
    multiply(3, true, both);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < width(); ++c) {
        ASSERT_EQ(both.at(r, c), first.at(r, c) + second.at(r, c)) << "depth " << depth;
      }
    }
  }
}

}  // namespace
}  // namespace eigenae
