#include "adam.h"

#include <cmath>

namespace eigenae {

// As torch.optim.Adam: the bias correction of the second moment is inside the denominator, ε outside of it.
void adamStep(const AdamSpec& adam, std::int64_t step, const float* gradient, std::size_t count, float* parameters,
              float* firstMoments, float* secondMoments) {
  const double correction1 = 1 - std::pow(adam.beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(adam.beta2, static_cast<double>(step));
  const float stepSize = static_cast<float>(adam.learningRate / correction1);
  const float inverseRootCorrection2 = static_cast<float>(1 / std::sqrt(correction2));
  const float beta1 = static_cast<float>(adam.beta1), rest1 = static_cast<float>(1 - adam.beta1);
  const float beta2 = static_cast<float>(adam.beta2), rest2 = static_cast<float>(1 - adam.beta2);
  const float epsilon = static_cast<float>(adam.epsilon);

  for (std::size_t i = 0; i < count; ++i) {
    const float first = beta1 * firstMoments[i] + rest1 * gradient[i];
    const float second = beta2 * secondMoments[i] + rest2 * (gradient[i] * gradient[i]);
    firstMoments[i] = first;
    secondMoments[i] = second;
    parameters[i] -= stepSize * first / (std::sqrt(second) * inverseRootCorrection2 + epsilon);
  }
}

}  // namespace eigenae
