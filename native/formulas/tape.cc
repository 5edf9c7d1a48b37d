#include "tape.h"

#include <initializer_list>
#include <stdexcept>

#include "execute.h"

namespace eigenae {

namespace {

constexpr std::uint32_t absent = 0xffffffff;
constexpr std::size_t headWords = 2 + formulaInputs + formulaInputs - 1;
constexpr std::uint32_t largestScratch = 0x7fffffff;

void require(bool holds) {
  if (!holds) throw std::invalid_argument("not a tape of this width");
}

// The elements that an instruction may touch, checked with 64 bits.
class Checker {
 public:
  Checker(long long width, long long scratchSize) : width_(width), scratchSize_(scratchSize) {}

  void requireRange(long long place, long long size) const {
    require(place >= 0 && size >= 0 && place + size <= scratchSize_);
  }

  void requireInstruction(const int* code) const {
    const long long count = code[1], out = code[2], a = code[3], aStride = code[4], b = code[5], bStride = code[6];
    const long long square = width_ * width_;
    require(code[0] >= 0 && code[0] < formula::operationCount && count >= 1 && aStride >= 0 && bStride >= 0);
    switch (code[0]) {
      case formula::sum:
      case formula::largest:
        return requireAll({{out, 1}, {a, count}});
      case formula::copy:
        require(b >= 1 && (b - 1) * bStride < count);
        return requireAll({{out, count}, {a, (b - 1) * aStride + 1}});
      default:
        if (code[0] <= formula::squareRoot) {
          require(aStride <= 1 && bStride <= 1);
          return requireAll({{out, count}, {a, aStride == 0 ? 1 : count}, {b, bStride == 0 ? 1 : count}});
        }
    }
    require(count == width_);
    switch (code[0]) {
      case formula::offdiagonal:
        return requireAll({{out, square}, {a, square}});
      case formula::outer:
        return requireAll({{out, square}, {a, width_}});
      case formula::product:
        return requireAll({{out, width_}, {a, square}, {b, width_}});
      case formula::cholesky:
        require(out % 8 == 0);
        return requireAll({{out, formula::factorSize(width_)}, {a, square}, {b, 1}});
      case formula::logDeterminant:
        require(a % 8 == 0);
        return requireAll({{out, 1}, {a, formula::factorSize(width_)}});
      default:
        require(a % 8 == 0);
        return requireAll({{out, square}, {a, formula::factorSize(width_)}});
    }
  }

 private:
  struct Range {
    long long place, size;
  };
  void requireAll(std::initializer_list<Range> ranges) const {
    for (const Range& range : ranges) requireRange(range.place, range.size);
  }

  long long width_, scratchSize_;
};

}  // namespace

int Tape::instructions() const { return static_cast<int>(code.size()) / formula::instructionSize; }

Tape decodeTape(const std::uint32_t* words, std::size_t wordCount, const double* constants, std::size_t constantCount,
                int width) {
  require(wordCount >= headWords && (wordCount - headWords) % formula::instructionSize == 0);
  // Inputs and instructions have a place each, in the scratch after the constants.
  const std::size_t places = formulaInputs + (wordCount - headWords) / formula::instructionSize;
  const std::size_t largestPlace = static_cast<std::size_t>(formula::factorSize(width)) + 8;
  require(words[0] <= largestScratch && constantCount <= words[0]);
  require((words[0] - constantCount) / largestPlace <= places);
  Tape tape;
  tape.width = width;
  tape.constants.assign(constants, constants + constantCount);
  tape.scratchSize = static_cast<int>(words[0]);
  const Checker checker(width, tape.scratchSize);
  const auto place = [&](std::uint32_t word, long long size) {
    if (word == absent) return Tape::nowhere;
    checker.requireRange(word, size);
    return static_cast<int>(word);
  };
  const long long sizes[formulaInputs] = {1, width, width, width, static_cast<long long>(width) * width};
  require(words[1] != absent);
  tape.value = place(words[1], 1);
  for (int i = 0; i < formulaInputs; ++i) tape.inputs[i] = place(words[2 + i], sizes[i]);
  tape.derivatives[0] = Tape::nowhere;
  for (int i = 1; i < formulaInputs; ++i) {
    tape.derivatives[i] = place(words[1 + formulaInputs + i], sizes[i]);
    require(tape.derivatives[i] == Tape::nowhere || tape.inputs[i] != Tape::nowhere);
  }
  for (std::size_t i = headWords; i < wordCount; ++i) {
    require(words[i] <= largestScratch);
    tape.code.push_back(static_cast<int>(words[i]));
  }
  for (std::size_t i = 0; i < tape.code.size(); i += formula::instructionSize) {
    checker.requireInstruction(&tape.code[i]);
  }
  return tape;
}

}  // namespace eigenae
