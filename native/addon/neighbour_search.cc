#include "neighbour_search.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "../core/instruction_set.h"
#include "../core/neighbours.h"
#include "job.h"
#include "values.h"

namespace eigenae::addon {

namespace {

constexpr std::int64_t maximalDimensions = 1 << 16, maximalNeighbours = 1 << 16, maximalThreads = 1 << 12;

struct Search {
  std::vector<float> points, queries;
  std::vector<std::int32_t> indices;
  NeighbourSearch search{};
  int threads = 1;
  std::atomic<std::int32_t> stop{0};
};

using SharedSearch = std::shared_ptr<Search>;

SharedSearch toSearch(const Argument& argument) {
  const auto found = std::make_shared<Search>();
  NeighbourSearch& search = found->search;
  search.dimensions = static_cast<int>(argument.property("dimensions").integer(1, maximalDimensions));
  search.neighbours = static_cast<int>(argument.property("neighbours").integer(1, maximalNeighbours));
  search.leaveOut = argument.property("leaveOut").boolean();
  found->threads = static_cast<int>(argument.property("threads").integer(1, maximalThreads));
  const auto dimensions = static_cast<std::size_t>(search.dimensions);
  const Argument points = argument.property("points"), queries = argument.property("queries");
  found->points = points.floats(dimensions);
  found->queries = queries.floats(dimensions);
  search.pointCount = found->points.size() / dimensions;
  search.queryCount = found->queries.size() / dimensions;
  if (search.pointCount > 0x7fffffff) points.refuseValue("fewer points");
  search.points = found->points.data();
  search.queries = found->queries.data();
  found->indices.resize(search.queryCount * search.neighbours);
  return found;
}

napi_value stop(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    void* data;
    check(env, napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data));
    (*static_cast<SharedSearch*>(data))->stop = 1;
    return nullptr;
  });
}

// Returns a JavaScript function that stops the search and keeps it alive.
napi_value stopFunction(napi_env env, const SharedSearch& search) {
  auto owned = std::make_unique<SharedSearch>(search);
  napi_value function;
  check(env, napi_create_function(env, "stop", NAPI_AUTO_LENGTH, stop, owned.get(), &function));
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<SharedSearch*>(data); };
  check(env, napi_add_finalizer(env, function, owned.get(), destroy, nullptr, nullptr));
  owned.release();
  return function;
}

}  // namespace

napi_value startNeighbours(napi_env env, napi_value value) {
  const SharedSearch search = toSearch({env, value, "search"});
  const napi_value started = newObject(env);
  setProperty(env, started, "stop", stopFunction(env, search));
  JobSpec job;
  job.compute = [search] {
    findNeighbours(search->search, *chosenInstructionSet().kernels, search->threads, search->stop,
                   search->indices.data());
  };
  job.stop = [search] { search->stop = 1; };
  job.result = [search](napi_env env, const std::vector<napi_value>&) { return fromIntegers(env, search->indices); };
  setProperty(env, started, "found", startJob(env, std::move(job)));
  return started;
}

}  // namespace eigenae::addon
