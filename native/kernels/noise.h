// Reads images as floats: panels of noisy input, bytes / 255 + deviation · N(0, 1), and rows of clean pixels. The
// normal numbers are those that core/random.h defines, computed for a vector of images at once.
#pragma once

#include "intrinsics.h"
#include "kernels.h"

namespace eigenae {
namespace {

constexpr std::uint64_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;

EIGENAE_INLINE Longs broadcastLong(std::uint64_t x) { return Longs{} + x; }
EIGENAE_INLINE std::uint64_t lower(std::uint64_t x) { return x & 0xFFFFFFFF; }

// Philox's keys of all ten rounds.
struct RoundKeys {
  std::uint64_t key0[10], key1[10];

  RoundKeys(std::uint32_t first, std::uint32_t second) {
    for (int round = 0; round < 10; ++round) {
      key0[round] = first + round * 0x9E3779B9u;
      key1[round] = second + round * 0xBB67AE85u;
      key0[round] = lower(key0[round]);
      key1[round] = lower(key1[round]);
    }
  }
};

// Philox hashes the counter {pixel block, image, epoch, 0}. In its first rounds, most products depend on either the
// image or the pixel block alone, so they are computed once for each image and once for each pixel block. Words are in
// the lower halves of 64-bit lanes; the upper halves are arbitrary.
//
//   round   product by multiplier0                       product by multiplier1
//   1       block, known to a pixel block                epoch, a constant
//   2       word 0, known to an image (imageProduct)     word 2, known to a pixel block
//   3       word 0, known to a pixel block               word 2, of image and pixel block: the first in `philox` below

// Returns the product of an image in round 2.
EIGENAE_INLINE Longs imageProduct(Longs image, std::uint32_t epoch, const RoundKeys& keys) {
  const std::uint64_t product1 = multiplier1 * epoch;
  return multiplyLowerHalves(image ^ broadcastLong((product1 >> 32) ^ keys.key0[0]), broadcastLong(multiplier0));
}

// Values of a pixel block in rounds 1 to 3 that are combined with a value of the image by exclusive or. They are the
// same for all images.
struct PixelRounds {
  std::uint64_t round3Word2Xor;  // with the upper half of imageProduct, gives word 2 of round 3
  std::uint64_t round4Word0Xor;  // with the upper half of round 3's product by multiplier1, gives word 0 of round 4
  std::uint64_t round4Word2Xor;  // with the lower half of imageProduct, gives word 2 of round 4
  std::uint64_t round5Word2Xor;  // with the upper half of round 4's product by multiplier0, gives word 2 of round 5
};

EIGENAE_INLINE PixelRounds pixelRounds(std::uint32_t block, std::uint32_t epoch, const RoundKeys& keys) {
  const std::uint64_t product0 = multiplier0 * block, product1 = multiplier1 * epoch;
  const std::uint64_t second1 = multiplier1 * ((product0 >> 32) ^ keys.key1[0]);
  const std::uint64_t third0 = multiplier0 * ((second1 >> 32) ^ lower(product1) ^ keys.key0[1]);
  return {lower(product0) ^ keys.key1[1], lower(second1) ^ keys.key0[2], (third0 >> 32) ^ keys.key1[2],
          lower(third0) ^ keys.key1[3]};
}

// Two pixel blocks, each for the even and the odd images of a vector. Four independent chains of operations hide the
// latency of a multiplication.
constexpr int chains = 4;

struct Counters {
  Longs c0[chains], c1[chains], c2[chains], c3[chains];
};

// Computes the remaining rounds of the four chains.
EIGENAE_INLINE void philox(const Longs (&image)[2], const PixelRounds* pixels, const RoundKeys& keys, Counters& to) {
  Longs c0[chains], c1[chains], c2[chains], c3[chains];
  EIGENAE_UNROLL
  for (int i = 0; i < chains; ++i) {
    const PixelRounds& pixel = pixels[i / 2];
    const Longs product = image[i % 2];
    c1[i] = multiplyLowerHalves((product >> 32) ^ broadcastLong(pixel.round3Word2Xor), broadcastLong(multiplier1));
    c0[i] = (c1[i] >> 32) ^ broadcastLong(pixel.round4Word0Xor);
    c2[i] = product ^ broadcastLong(pixel.round4Word2Xor);
  }
  EIGENAE_UNROLL
  for (int round = 3; round < 10; ++round) {
    EIGENAE_UNROLL
    for (int i = 0; i < chains; ++i) {
      const Longs product0 = multiplyLowerHalves(c0[i], broadcastLong(multiplier0));
      const Longs product1 = multiplyLowerHalves(c2[i], broadcastLong(multiplier1));
      c0[i] = (product1 >> 32) ^ (c1[i] ^ broadcastLong(keys.key0[round]));
      c2[i] = (product0 >> 32) ^
              (round == 3 ? broadcastLong(pixels[i / 2].round5Word2Xor) : c3[i] ^ broadcastLong(keys.key1[round]));
      c1[i] = product1;
      c3[i] = product0;
    }
  }
  EIGENAE_UNROLL
  for (int i = 0; i < chains; ++i) {
    to.c0[i] = c0[i];
    to.c1[i] = c1[i];
    to.c2[i] = c2[i];
    to.c3[i] = c3[i];
  }
}

EIGENAE_INLINE Words merge(Longs even, Longs odd) { return (Words)((even & broadcastLong(0xFFFFFFFF)) | (odd << 32)); }

EIGENAE_INLINE Floats toFloats(Integers x) { return __builtin_convertvector(x, Floats); }

// Returns −2 ln(((w >> 9) + ½) · 2⁻²³) · deviation², the square of a Box–Muller radius. The logarithm of the mantissa m
// in [√½, √2) is a series in s = (m − 1) / (m + 1).
EIGENAE_INLINE Floats squaredRadius(Words w, float minusTwoSquaredDeviation) {
  const Floats uniform = (Floats)((w >> 9) | 0x3F800000u) - 0x1.fffffep-1f;
  const Integers bits = (Integers)uniform;
  const Integers exponent = (bits - 0x3F3504F3) >> 23;
  const Floats m = (Floats)(bits - (exponent << 23));
  const Floats s = (m - 1.0f) / (m + 1.0f);
  const Floats z = s * s;
  const Floats series = ((z * 0.2857142857f + 0.4f) * z + 0.6666666667f) * z + 2.0f;
  return (toFloats(exponent) * 0.6931471806f + series * s) * minusTwoSquaredDeviation;
}

// Computes the cosine and sine of int32(w) · 2⁻³² turns: reduces w to the nearest quarter turn, evaluates both series
// in the remainder, and swaps and negates them by the quarter.
EIGENAE_INLINE void sinCos(Words w, Floats& cosine, Floats& sine) {
  const Words quarter = w + 0x20000000u;  // the quarter is in the two highest bits
  const Floats x = toFloats((Integers)(w - (quarter & 0xC0000000u))) * 1.4629180792671596e-9f;  // 2π · 2⁻³²
  const Floats z = x * x;
  const Floats s = ((z * -1.9515295891e-4f + 8.3321608736e-3f) * z - 1.6666654611e-1f) * (z * x) + x;
  const Floats c =
      ((z * 2.443315711809948e-5f - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * (z * z) + (z * -0.5f + 1.0f);
  const Words next = quarter << 1;
  const Words swap = ((Words)s ^ (Words)c) & (Words)((Integers)next >> 31);  // nonzero in every second quarter
  constexpr std::uint32_t sign = 0x80000000u;
  cosine = (Floats)((Words)c ^ swap ^ ((quarter ^ next) & sign));
  sine = (Floats)((Words)s ^ swap ^ (quarter & sign));
}

// Four pixels of each image of a vector.
struct PixelBlock {
  Floats rows[4];
};

// Returns the first min(count, 4) bytes; the others are 0.
EIGENAE_INLINE std::uint32_t fourBytes(const std::uint8_t* from, int count) {
  std::uint32_t word = 0;
  if (count >= 4) {
    __builtin_memcpy(&word, from, 4);
  } else {
    for (int i = 0; i < count; ++i) word |= std::uint32_t{from[i]} << (8 * i);
  }
  return word;
}

// Returns byte / 255, correctly rounded: 1 / 255 is split into two constants and the first product is exact.
EIGENAE_INLINE Floats toPixels(Words byte) {
  const Floats value = toFloats((Integers)byte);
  return value * 0x1.01p-8f + value * 0x1.010102p-24f;
}

EIGENAE_INLINE PixelBlock cleanPixels(const std::uint8_t* const* images, std::size_t offset, int count) {
  const auto word = [&](int i) { return fourBytes(images[i] + offset, count); };
#if defined(__AVX512F__)
  const Words words = {word(0), word(1), word(2),  word(3),  word(4),  word(5),  word(6),  word(7),
                       word(8), word(9), word(10), word(11), word(12), word(13), word(14), word(15)};
#elif defined(__AVX2__)
  const Words words = {word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7)};
#else
  const Words words = {word(0), word(1), word(2), word(3)};
#endif
  return {{toPixels(words & 0xFFu), toPixels((words >> 8) & 0xFFu), toPixels((words >> 16) & 0xFFu),
           toPixels(words >> 24)}};
}

EIGENAE_INLINE void storeRows(const PixelBlock& pixels, int rows, float* to) {
  if (rows == 4) {
    EIGENAE_UNROLL
    for (int r = 0; r < 4; ++r) store(to + r * panel, pixels.rows[r]);
  } else {
    for (int r = 0; r < rows; ++r) store(to + r * panel, pixels.rows[r]);
  }
}

EIGENAE_INLINE void addNormals(Words w0, Words w1, float minusTwoSquaredDeviation, Floats& first, Floats& second) {
  Floats cosine, sine;
  sinCos(w1, cosine, sine);
  const Floats radius = squareRoot(squaredRadius(w0, minusTwoSquaredDeviation));
  first += radius * cosine;
  second += radius * sine;
}

// The random words of some pixel blocks. Drawing words and turning them into normal numbers are separate loops with the
// words in the nearest cache in between, so that each loop's body is short enough for the processor to overlap several
// blocks.
constexpr int blocksAtOnce = 8;

struct BlockWords {
  Words words[blocksAtOnce][4];
};

// Draws the words of `count` blocks, rounded up to an even number.
EIGENAE_INLINE void drawWords(const Longs (&image)[2], const PixelRounds* pixels, const RoundKeys& keys, int count,
                              BlockWords& to) {
  for (int i = 0; i < count; i += 2) {
    Counters drawn;
    philox(image, pixels + i, keys, drawn);
    EIGENAE_UNROLL
    for (int j = 0; j < 2; ++j) {
      to.words[i + j][0] = merge(drawn.c0[2 * j], drawn.c0[2 * j + 1]);
      to.words[i + j][1] = merge(drawn.c1[2 * j], drawn.c1[2 * j + 1]);
      to.words[i + j][2] = merge(drawn.c2[2 * j], drawn.c2[2 * j + 1]);
      to.words[i + j][3] = merge(drawn.c3[2 * j], drawn.c3[2 * j + 1]);
    }
  }
}

// A vector of images, and the product in Philox's round 2 that all of an image's pixels share.
struct ImageVector {
  const std::uint8_t* bytes[lanes];
  Longs product[2];

  ImageVector(const NoisyInput& from, const std::uint32_t* index, const RoundKeys& keys) {
    for (int i = 0; i < lanes; ++i) bytes[i] = from.images + index[i] * from.imageStride;
    Longs index32;
    __builtin_memcpy(&index32, index, sizeof(index32));
    product[0] = imageProduct(index32, from.epoch, keys);
    product[1] = imageProduct(index32 >> 32, from.epoch, keys);
  }
};

void fillBlocks(const NoisyInput& from, const ImageVector& images, const BlockWords& drawn, int firstBlock, int count,
                float* to) {
  const float minusTwoSquaredDeviation = -2 * from.deviation * from.deviation;
  const int wholeBlocks = static_cast<int>(from.inputs / 4);
  for (int i = 0; i < count; ++i) {
    const std::size_t row = std::size_t{4} * (firstBlock + i);
    const int rows = firstBlock + i < wholeBlocks ? 4 : static_cast<int>(from.inputs % 4);
    PixelBlock pixels = cleanPixels(images.bytes, row, rows);
    if (from.deviation != 0) {
      addNormals(drawn.words[i][0], drawn.words[i][1], minusTwoSquaredDeviation, pixels.rows[0], pixels.rows[1]);
      addNormals(drawn.words[i][2], drawn.words[i][3], minusTwoSquaredDeviation, pixels.rows[2], pixels.rows[3]);
    }
    storeRows(pixels, rows, to + i * 4 * panel);
  }
}

void fillInput(const NoisyInput& from, int firstBlock, int endBlock, float* to) {
  const RoundKeys keys(from.seed, from.purpose);
  const ImageVector images[2] = {{from, from.index, keys}, {from, from.index + lanes, keys}};
  PixelRounds pixels[blocksAtOnce];
  BlockWords drawn;
  for (int block = firstBlock; block < endBlock; block += blocksAtOnce, to += blocksAtOnce * 4 * panel) {
    const int count = endBlock - block < blocksAtOnce ? endBlock - block : blocksAtOnce;
    for (int i = 0; i < blocksAtOnce; ++i) pixels[i] = pixelRounds(block + i, from.epoch, keys);
    for (int half = 0; half < 2; ++half) {
      if (from.deviation != 0) drawWords(images[half].product, pixels, keys, count, drawn);
      fillBlocks(from, images[half], drawn, block, count, to + half * lanes);
    }
  }
}

void readPixels(const std::uint8_t* bytes, std::size_t imageStride, const std::uint32_t* index, int images, int count,
                float* out) {
  for (int i = 0; i < images; ++i, out += panel) {
    const std::uint8_t* from = bytes + index[i] * imageStride;
    int c = 0;
    for (; c + lanes <= count; c += lanes) store(out + c, toPixels(loadBytes(from + c)));
    for (; c < count; ++c) out[c] = static_cast<float>(from[c]) / 255.0f;
  }
}

}  // namespace
}  // namespace eigenae
