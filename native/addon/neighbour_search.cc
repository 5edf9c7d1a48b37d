#include "neighbour_search.h"

#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "../core/neighbours.h"
#include "job.h"
#include "values.h"

namespace eigenae::addon {

namespace {

// A whole number of at least `least` that an int holds.
int wholeNumber(napi_env env, napi_value object, const char* name, int least) {
  const double value = toDouble(env, property(env, object, name));
  if (value >= least && value <= std::numeric_limits<int>::max() && value == std::floor(value)) {
    return static_cast<int>(value);
  }
  throw std::invalid_argument(std::string(name) + " must be a whole number of at least " + std::to_string(least));
}

TypedArray arrayOf(napi_env env, napi_value value, napi_typedarray_type type, std::size_t rowLength, const char* name) {
  const TypedArray array = typedArray(env, value);
  if (array.type != type) throw std::invalid_argument(std::string(name) + " has the wrong type of elements");
  if (array.length % rowLength != 0 || array.length / rowLength > std::numeric_limits<std::int32_t>::max()) {
    throw std::invalid_argument(std::string(name) + " has the wrong length");
  }
  return array;
}

}  // namespace

napi_value startNeighbours(napi_env env, napi_value value) {
  NeighbourSearch search;
  search.dimensions = wholeNumber(env, value, "dimensions", 1);
  search.neighbours = wholeNumber(env, value, "neighbours", 1);
  search.leaveOut = toBool(env, property(env, value, "leaveOut"));
  const int threads = wholeNumber(env, value, "threads", 1);
  const napi_value points = property(env, value, "points"), queries = property(env, value, "queries"),
                   indices = property(env, value, "indices"), control = property(env, value, "control");
  const auto dimensions = static_cast<std::size_t>(search.dimensions);
  const TypedArray pointArray = arrayOf(env, points, napi_float32_array, dimensions, "points");
  const TypedArray queryArray = arrayOf(env, queries, napi_float32_array, dimensions, "queries");
  const TypedArray indexArray = arrayOf(env, indices, napi_int32_array, search.neighbours, "indices");
  const TypedArray controlArray = arrayOf(env, control, napi_int32_array, 1, "control");
  search.points = pointArray.as<float>();
  search.queries = queryArray.as<float>();
  search.pointCount = pointArray.length / dimensions;
  search.queryCount = queryArray.length / dimensions;
  if (indexArray.length / search.neighbours != search.queryCount) {
    throw std::invalid_argument("indices has the wrong length");
  }
  if (controlArray.length != 1) throw std::invalid_argument("control has the wrong length");
  auto* const stop = controlArray.as<std::atomic<std::int32_t>>();
  JobSpec job;
  job.kept = {points, queries, indices, control};
  job.compute = [search, threads, stop, to = indexArray.as<std::int32_t>()] {
    findNeighbours(search, threads, *stop, to);
  };
  job.stop = [stop] { *stop = 1; };
  job.result = [](napi_env env, const std::vector<napi_value>&) {
    napi_value nothing;
    check(env, napi_get_undefined(env, &nothing));
    return nothing;
  };
  return startJob(env, std::move(job));
}

}  // namespace eigenae::addon
