#include "eigen_losses.h"

#include <stdexcept>

namespace eigenae {

double topK(const double* singularValues, int count, const EigenLossParameters& parameters, double* derivatives);
double logMax(const double* singularValues, int count, const EigenLossParameters& parameters, double* derivatives);
double entropy(const double* singularValues, int count, const EigenLossParameters& parameters, double* derivatives);

namespace {

struct EigenLossRow {
  const char* kind;
  EigenLossFunction function;
};

constexpr EigenLossRow table[] = {
    {.kind = "top-k", .function = topK},
    {.kind = "log-max", .function = logMax},
    {.kind = "entropy", .function = entropy},
};

}  // namespace

EigenLossFunction findEigenLoss(const std::string& kind) {
  for (const EigenLossRow& row : table) {
    if (kind == row.kind) return row.function;
  }
  throw std::invalid_argument("unknown eigen loss kind \"" + kind + "\"");
}

}  // namespace eigenae
