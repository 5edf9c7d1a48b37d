#include "measures.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "../core/instruction_set.h"
#include "../core/layer_measures.h"
#include "../core/linear_probe.h"
#include "../core/neighbours.h"
#include "../core/singular_values.h"
#include "job.h"
#include "values.h"

namespace eigenae::addon {

namespace {

constexpr std::int64_t maximalDimensions = 1 << 16, maximalNeighbours = 1 << 16, maximalThreads = 1 << 12;
constexpr std::int64_t maximalWidth = 1 << 16, maximalRankedWidth = 1 << 12;

// The arguments and the result of a job, T, and the flag that stops it.
template <typename T>
struct Measurement : T {
  std::atomic<std::int32_t> stop{0};
};

napi_value stop(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    void* data;
    check(env, napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data));
    **static_cast<std::shared_ptr<std::atomic<std::int32_t>>*>(data) = 1;
    return nullptr;
  });
}

// Returns a JavaScript function that sets the flag and keeps it alive.
napi_value stopFunction(napi_env env, std::shared_ptr<std::atomic<std::int32_t>> flag) {
  auto owned = std::make_unique<std::shared_ptr<std::atomic<std::int32_t>>>(std::move(flag));
  napi_value function;
  check(env, napi_create_function(env, "stop", NAPI_AUTO_LENGTH, stop, owned.get(), &function));
  const auto destroy = [](napi_env, void* data, void*) {
    delete static_cast<std::shared_ptr<std::atomic<std::int32_t>>*>(data);
  };
  check(env, napi_add_finalizer(env, function, owned.get(), destroy, nullptr, nullptr));
  owned.release();
  return function;
}

// Starts a job: compute(measurement) on a thread of its own, then result(env, measurement) on the JavaScript thread.
template <typename T, typename Compute, typename Result>
napi_value start(napi_env env, std::shared_ptr<Measurement<T>> measurement, Compute compute, Result result,
                 std::vector<napi_value> kept = {}) {
  const napi_value started = newObject(env);
  setProperty(env, started, "stop", stopFunction(env, {measurement, &measurement->stop}));
  JobSpec job;
  job.kept = std::move(kept);
  job.compute = [measurement, compute] { compute(*measurement); };
  job.stop = [measurement] { measurement->stop = 1; };
  job.result = [measurement, result](napi_env env, const std::vector<napi_value>&) {
    return result(env, *measurement);
  };
  setProperty(env, started, "result", startJob(env, std::move(job)));
  return started;
}

struct Neighbours {
  std::vector<float> points, queries;
  NeighbourSearch search{};
  int threads = 1;
  std::vector<std::int32_t> indices;
};

struct Probe {
  struct Set {
    std::vector<float> embedding;
    std::vector<std::uint8_t> labels;
  };
  Set train, scored;
  LinearProbe probe{};
  std::size_t hits = 0;
};

LabelledEmbedding toLabelled(const Argument& argument, std::size_t latent, Probe::Set& set) {
  const Argument labels = argument.property("labels");
  set.embedding = argument.property("embedding").floats(latent);
  set.labels = labels.bytes(1);
  if (set.labels.size() * latent != set.embedding.size()) labels.refuseValue("a label for each row");
  return {set.embedding.data(), set.labels.data(), set.labels.size()};
}

struct Values {
  std::vector<double> matrix, found;
  std::size_t columns = 0;
  bool center = false;
};

struct Layer {
  std::vector<float> values;
  LayerOutputs outputs{};
  LayerMeasures measures;
};

}  // namespace

napi_value startNeighbours(napi_env env, napi_value value) {
  const Argument argument(env, value, "search");
  const auto found = std::make_shared<Measurement<Neighbours>>();
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
  return start(
      env, found,
      [](Measurement<Neighbours>& all) {
        findNeighbours(all.search, *chosenInstructionSet().kernels, all.threads, all.stop, all.indices.data());
      },
      [](napi_env env, const Neighbours& all) { return fromIntegers(env, all.indices); });
}

napi_value startProbe(napi_env env, napi_value value) {
  const Argument argument(env, value, "probe");
  const auto found = std::make_shared<Measurement<Probe>>();
  LinearProbe& probe = found->probe;
  probe.latent = static_cast<int>(argument.property("latent").integer(1, maximalDimensions));
  probe.leaveOut = argument.property("leaveOut").boolean();
  const auto latent = static_cast<std::size_t>(probe.latent);
  probe.train = toLabelled(argument.property("train"), latent, found->train);
  probe.scored = toLabelled(argument.property("scored"), latent, found->scored);
  return start(
      env, found, [](Measurement<Probe>& all) { all.hits = countProbeHits(all.probe, all.stop); },
      [](napi_env env, const Probe& all) { return fromDouble(env, static_cast<double>(all.hits)); });
}

napi_value startSingularValues(napi_env env, napi_value value) {
  const Argument argument(env, value, "matrix");
  const auto found = std::make_shared<Measurement<Values>>();
  found->columns = static_cast<std::size_t>(argument.property("columns").integer(1, maximalDimensions));
  found->center = argument.property("center").boolean();
  found->matrix = argument.property("values").doublesOrNaN(found->columns);
  return start(
      env, found,
      [](Measurement<Values>& all) {
        all.found = singularValues(all.matrix.data(), all.matrix.size() / all.columns, static_cast<int>(all.columns),
                                   all.center, all.stop);
      },
      [](napi_env env, const Values& all) { return fromDoubles(env, all.found); });
}

napi_value startLayerMeasures(napi_env env, napi_value value) {
  const Argument layer(env, value, "layer");
  const auto found = std::make_shared<Measurement<Layer>>();
  LayerOutputs& outputs = found->outputs;
  outputs.center = layer.property("center").boolean();
  outputs.ranked = layer.property("ranked").boolean();
  const std::int64_t widest = outputs.ranked ? maximalRankedWidth : maximalWidth;
  outputs.width = static_cast<int>(layer.property("width").integer(1, widest));
  const auto width = static_cast<std::size_t>(outputs.width);
  const Argument norm = layer.property("norm"), values = layer.property("outputs");
  if (!norm.isNull()) {
    outputs.scale = norm.property("scale").doubles(width);
    outputs.shift = norm.property("shift").doubles(width);
  }
  // Shared memory is used in place, which spares a copy, and must be kept alive.
  std::size_t length;
  if (values.isShared()) {
    outputs.values = values.sharedFloats(width, &length);
  } else {
    found->values = values.floats(width);
    length = found->values.size();
    outputs.values = found->values.data();
  }
  if (length / width > 0x7fffffff) values.refuseValue("fewer images");
  outputs.count = static_cast<int>(length / width);
  return start(
      env, found,
      [](Measurement<Layer>& all) {
        all.measures = measureLayer(all.outputs, *chosenInstructionSet().kernels, all.stop);
      },
      [](napi_env env, const Layer& all) {
        const napi_value result = newObject(env);
        setProperty(env, result, "silentUnits", fromDouble(env, all.measures.silentUnits));
        setProperty(env, result, "meanVariance", fromDouble(env, all.measures.meanVariance));
        setProperty(env, result, "eigenvalues", fromDoubles(env, all.measures.eigenvalues));
        return result;
      },
      {values.value()});
}

}  // namespace eigenae::addon
