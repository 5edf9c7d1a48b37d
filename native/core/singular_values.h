// The singular values of an embedding, in double.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace eigenae {

// Returns the singular values of a matrix [rows][columns], the largest first, of the centred matrix if `center`: always
// `columns` values, zeros last if there are fewer rows. Householder's QR with column pivoting leaves a small triangle;
// one-sided Jacobi rotations (Hestenes 1958) make its rows orthogonal, in few sweeps because they are nearly so (Drmač
// and Veselić, "New fast and accurate Jacobi SVD algorithm", 2008). All in double, so small values keep the digits that
// those of a Gram matrix would lose. All are NaN if a value is not finite. Returns early once stop is not 0; the result
// is then meaningless.
std::vector<double> singularValues(const double* values, std::size_t rows, int columns, bool center,
                                   const std::atomic<std::int32_t>& stop);

}  // namespace eigenae
