#pragma once

namespace eigenae {

// Measures the peak of the machine: GFLOP/s of multiply-adds on registers alone, with the vectors of chosenInstructionSet(),
// on `threads` threads at once. Returns the best of several runs, which together take about 0.1 s.
double measurePeak(int threads);

}  // namespace eigenae
