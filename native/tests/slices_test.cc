// The division of pixels into slices.
#include <gtest/gtest.h>

#include <algorithm>

#include "../core/slices.h"

namespace eigenae {
namespace {

TEST(Slices, FollowEachOtherFromTheFirstPixelToTheLastInWholeBlocks) {
  for (const int pixels : {1, 3, 31, 100, 784}) {
    for (const int block : {4, 32}) {
      for (const int mainThreadHandicap : {0, 1, 14, 250, 5000}) {
        int end = 0;
        for (int slice = 0; slice < slices; ++slice) {
          const Range range = slicePixels(pixels, slice, block, mainThreadHandicap);
          EXPECT_EQ(range.begin, end);
          EXPECT_GE(range.end, range.begin);
          EXPECT_TRUE(range.end == pixels || range.end % block == 0);
          EXPECT_LE(range.end - range.begin, largestSlice(pixels, block, mainThreadHandicap));
          end = range.end;
        }
        EXPECT_EQ(end, pixels) << pixels << " pixels, mainThreadHandicap " << mainThreadHandicap;
      }
    }
  }
}

TEST(Slices, LeaveTheFirstMemberTheReliefWhateverTheNumberOfMembers) {
  constexpr int pixels = 784, mainThreadHandicap = 240, oneSlice = (pixels + mainThreadHandicap) / slices;
  for (const int threads : {2, 4, 8}) {
    const Range mine = share(slices, 0, threads), others = share(slices, 1, threads);
    const auto count = [&](Range range) {
      int sum = 0;
      for (int slice = range.begin; slice < range.end; ++slice) {
        const Range part = slicePixels(pixels, slice, 4, mainThreadHandicap);
        sum += part.end - part.begin;
      }
      return sum;
    };
    const int each = oneSlice * slices / threads;
    EXPECT_NEAR(count(mine), std::max(each - mainThreadHandicap, 0), 8) << threads << " threads";
    EXPECT_NEAR(count(others), std::min(each, 2 * each - mainThreadHandicap), 8) << threads << " threads";
  }
}

TEST(Slices, EndAtTheBlockThatIsNearestToTheirShare) {
  for (const int mainThreadHandicap : {0, 9, 26, 100}) {
    const Range first = slicePixels(784, 0, 16, mainThreadHandicap),
                middle = slicePixels(784, 4, 16, mainThreadHandicap);
    EXPECT_NEAR(first.end, std::max(0.0, (784 + mainThreadHandicap) / 8.0 - mainThreadHandicap), 8)
        << mainThreadHandicap;
    EXPECT_NEAR(middle.begin, (784 + mainThreadHandicap) / 2.0 - mainThreadHandicap, 8) << mainThreadHandicap;
  }
}

}  // namespace
}  // namespace eigenae
