// How work is cut up.
#pragma once

#include <cstddef>

namespace eigenae {

struct Range {
  int begin, end;
};

// Member `index` of `parts` gets a contiguous part of [0, count).
inline Range share(int count, int index, int parts) {
  return {static_cast<int>(static_cast<long long>(count) * index / parts),
          static_cast<int>(static_cast<long long>(count) * (index + 1) / parts)};
}

// Sums over pixels are cut into slices whose number and bounds do not depend on the threads, so neither do the bits of
// a result: a slice is summed by one thread, the slices of a group one after the other, then the groups.
constexpr int slices = 8;
constexpr int slicesInGroup = 4;

inline Range slicePixels(int pixels, int slice, int rowsAtOnce) {
  const int block = rowsAtOnce < 4 ? 4 : rowsAtOnce;  // four pixels share a noise counter
  const Range range = share((pixels + block - 1) / block, slice, slices);
  return {range.begin * block, range.end * block < pixels ? range.end * block : pixels};
}

// A slice is added to its group's sum at once when its own thread began the group; otherwise it gets a part of its own.
inline bool addsToGroup(int slice, int firstSliceOfThread) {
  return slice % slicesInGroup != 0 && slice - slice % slicesInGroup >= firstSliceOfThread;
}

}  // namespace eigenae
