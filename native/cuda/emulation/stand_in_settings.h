// The card that the stand-in pretends to be, and its faults, from the environment variable EIGENAE_STAND_IN: entries
// "key=value" with commas between.
//
//   driver=12000            version of the driver, as cuDriverGetVersion returns it
//   devices=1               0: no card
//   capability=9.0          compute capability
//   shared=232448           bytes of shared memory that a block can opt in to
//   multiprocessors=132
//   resident=32             thread blocks that a multiprocessor holds at most
//   fail=FUNCTION:N:CODE    the Nth call of this driver function returns the code, for example cuMemAlloc_v2:3:2
//   hang=N                  the Nth cooperative launch never ends
//   step=MICROSECONDS:N     launches of epochs and evaluations compute nothing: a step of an epoch takes this long, of
//                           all models of a launch, which have N thread blocks each. New memory holds numbers from
//                           0.5 to 1
//
// fail and hang may be repeated. An unknown key ends the process.
#pragma once

#include <string>
#include <vector>

namespace eigenae::emulation {

struct Fault {
  std::string function;
  int call;  // counted from 1
  int code;
};

struct Settings {
  int driver = 12000;
  int devices = 1;
  int majorCapability = 9, minorCapability = 0;
  int sharedBytes = 232448;
  int multiprocessors = 132;
  int residentBlocks = 32;
  double stepMicroseconds = 0;
  unsigned blocksOfModel = 1;
  std::vector<Fault> faults;
  std::vector<int> hangs;
};

const Settings& settings();

}  // namespace eigenae::emulation
