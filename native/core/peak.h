#pragma once

namespace eigenae {

// GFLOP/s of multiply-adds on registers alone, with the vectors of chosenInstructionSet(), on so many threads at once:
// what no kernel can pass. The best of several passes, in about 0.1 s.
double measurePeak(int threads);

}  // namespace eigenae
