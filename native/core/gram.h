// Sums of products of rows, in double.
#pragma once

#include <vector>

namespace eigenae {

// Adds the products of `some` rows [width] of Z to the lower triangle of ZᵀZ, row after row for each element.
template <int some>
void addProducts(const std::vector<double>* rows, std::vector<std::vector<double>>& gram) {
  const int width = static_cast<int>(gram.size());
  for (int j = 0; j < width; ++j) {
    double* target = gram[j].data();
    for (int k = 0; k <= j; ++k) {
      double sum = target[k];
      for (int i = 0; i < some; ++i) sum += rows[i][j] * rows[i][k];
      target[k] = sum;
    }
  }
}

}  // namespace eigenae
