#include "penalties.h"

#include <stdexcept>

namespace eigenae {

double topK(const double* singularValues, int count, const PenaltyParameters& parameters, double* derivatives);
double logMax(const double* singularValues, int count, const PenaltyParameters& parameters, double* derivatives);

namespace {

struct PenaltyRow {
  const char* kind;
  PenaltyFunction function;
};

constexpr PenaltyRow table[] = {
    {"top-k", topK},
    {"log-max", logMax},
};

}  // namespace

PenaltyFunction findPenalty(const std::string& kind) {
  for (const PenaltyRow& row : table) {
    if (kind == row.kind) return row.function;
  }
  throw std::invalid_argument("unknown penalty kind \"" + kind + "\"");
}

}  // namespace eigenae
