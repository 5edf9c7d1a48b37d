#include "codec.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

namespace eigenae {

namespace {

// Sizes in the core are ints.
constexpr std::int64_t maximalActivations = 1 << 30;

class Reader {
 public:
  Reader(const double* numbers, std::size_t count) : next_(numbers), end_(numbers + count) {}

  double number() { return *numbers(1); }
  int integer() { return static_cast<int>(number()); }
  std::uint32_t word() { return static_cast<std::uint32_t>(number()); }

  // Returns the next `count` numbers.
  const double* numbers(std::size_t count) {
    if (count > static_cast<std::size_t>(end_ - next_)) throw std::invalid_argument("the spec ends early");
    const double* const first = next_;
    next_ += count;
    return first;
  }

 private:
  const double* next_;
  const double* const end_;
};

Tape decodeFormula(Reader& reader, int width) {
  const std::size_t wordCount = reader.word();
  const double* numbers = reader.numbers(wordCount);
  const std::vector<std::uint32_t> words(numbers, numbers + wordCount);
  const std::size_t constantCount = reader.word();
  const double* constants = reader.numbers(constantCount);
  return decodeTape(words.data(), wordCount, constants, constantCount, width);
}

// widths: of the layers of the network but the output
EigenLossSpec decodeEigenLoss(Reader& reader, const std::vector<int>& widths) {
  EigenLossSpec eigenLoss;
  eigenLoss.center = reader.integer() != 0;
  eigenLoss.minimumImages = reader.integer();
  for (int left = reader.integer(); left > 0; --left) {
    eigenLoss.layers.push_back(reader.integer());
    eigenLoss.formulas.push_back(decodeFormula(reader, widths.at(eigenLoss.layers.back())));
  }
  return eigenLoss;
}

}  // namespace

TrainerSpec decodeSpec(const double* numbers, std::size_t count) {
  Reader reader(numbers, count);
  TrainerSpec spec;
  spec.batchSize = reader.integer();
  spec.seed = reader.word();
  spec.noise = static_cast<float>(reader.number());
  spec.threads = reader.integer();
  if (const double averaging = reader.number(); averaging >= 0) spec.averaging = averaging;
  spec.optimizer = decodeOptimizer(reader.numbers(optimizerNumbers));
  spec.activation.kind = static_cast<Activation>(reader.integer());
  spec.activation.slope = static_cast<float>(reader.number());
  const std::size_t depth = reader.word();
  const double* widths = reader.numbers(depth);
  if (depth < 2) throw std::invalid_argument("a network has two widths at least");
  spec.widths.assign(widths, widths + depth);
  const std::int64_t widest = *std::max_element(spec.widths.begin(), spec.widths.end());
  if (spec.batchSize * widest > maximalActivations) throw std::invalid_argument("the batch has too many activations");
  std::vector<int> innerWidths(spec.widths.begin() + 1, spec.widths.end());
  innerWidths.insert(innerWidths.end(), spec.widths.rbegin() + 1, spec.widths.rend() - 1);
  for (std::size_t i = 0; i < innerWidths.size(); ++i) spec.batchNorm.push_back(reader.integer() != 0);
  for (int left = reader.integer(); left > 0; --left) {
    spec.eigenLosses.push_back(decodeEigenLoss(reader, innerWidths));
  }
  return spec;
}

namespace {

// Visits the arrays of a state with their lengths, in the order in which they are passed.
template <typename StateOrConst, typename Visit>
void forEachArray(StateOrConst& state, const Layout& layout, Visit visit) {
  const std::size_t parameters = layout.parameterCount, statistics = layout.runningStatisticCount;
  for (auto* array : {&state.parameters, &state.firstMoments, &state.secondMoments}) visit(*array, parameters);
  visit(state.runningStatistics, statistics);
  if (!layout.averaged) return;
  visit(state.averagedParameters, parameters);
  visit(state.averagedStatistics, statistics);
}

}  // namespace

std::size_t stateLength(const Layout& layout) {
  std::size_t total = 0;
  const State state;
  forEachArray(state, layout, [&](const std::vector<float>&, std::size_t length) { total += length; });
  return total;
}

State decodeState(const Layout& layout, double step, const float* numbers) {
  State state;
  state.step = static_cast<std::int64_t>(step);
  forEachArray(state, layout, [&](std::vector<float>& array, std::size_t length) {
    array.assign(numbers, numbers + length);
    numbers += length;
  });
  return state;
}

void encodeState(const State& state, const Layout& layout, float* numbers) {
  forEachArray(state, layout, [&](const std::vector<float>& array, std::size_t) {
    numbers = std::copy(array.begin(), array.end(), numbers);
  });
}

std::vector<double> encodeLosses(const Losses& losses) {
  std::vector<double> numbers = {losses.loss(), losses.squaredError, static_cast<double>(losses.images)};
  for (const TermLosses& term : losses.terms) {
    numbers.insert(numbers.end(), {term.value, term.weighted, static_cast<double>(term.images)});
  }
  return numbers;
}

}  // namespace eigenae
