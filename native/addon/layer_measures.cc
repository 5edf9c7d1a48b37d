#include "layer_measures.h"

#include <atomic>
#include <memory>
#include <vector>

#include "../core/layer_measures.h"
#include "job.h"
#include "values.h"

namespace eigenae::addon {

namespace {

constexpr std::int64_t maximalWidth = 1 << 16, maximalRankedWidth = 1 << 12;

struct Measurement {
  std::vector<float> values;
  LayerOutputs outputs{};
  LayerMeasures measures;
  std::atomic<std::int32_t> stop{0};
};

std::shared_ptr<Measurement> toMeasurement(const Argument& layer) {
  const auto found = std::make_shared<Measurement>();
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
  found->values = values.floats(width);
  const std::size_t count = found->values.size() / width;
  if (count > 0x7fffffff) values.refuseValue("fewer images");
  outputs.count = static_cast<int>(count);
  outputs.values = found->values.data();
  return found;
}

}  // namespace

napi_value startLayerMeasures(napi_env env, napi_value layer) {
  const auto measurement = toMeasurement({env, layer, "layer"});
  JobSpec job;
  job.compute = [measurement] { measurement->measures = measureLayer(measurement->outputs, measurement->stop); };
  job.stop = [measurement] { measurement->stop = 1; };
  job.result = [measurement](napi_env env, const std::vector<napi_value>&) {
    const LayerMeasures& measures = measurement->measures;
    const napi_value result = newObject(env);
    setProperty(env, result, "silentUnits", fromDouble(env, measures.silentUnits));
    setProperty(env, result, "meanVariance", fromDouble(env, measures.meanVariance));
    setProperty(env, result, "eigenvalues", fromDoubles(env, measures.eigenvalues));
    return result;
  };
  return startJob(env, std::move(job));
}

}  // namespace eigenae::addon
