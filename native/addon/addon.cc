// The exports of the addon. src/engines/native/binding.ts declares them.
#include <node_api.h>

#include <iterator>
#include <memory>

#include "../core/instruction_set.h"
#include "../core/peak.h"
#include "cuda_door.h"
#include "job.h"
#include "measures.h"
#include "trainer_object.h"
#include "values.h"

namespace eigenae::addon {

namespace {

napi_value createTrainer(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    napi_value arguments[2];
    std::size_t count = std::size(arguments);
    check(env, napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr));
    return createTrainerObject(env, arguments[0], arguments[1]);
  });
}

napi_value startPeak(napi_env env, napi_value value) {
  const int threads = static_cast<int>(Argument(env, value, "threads").integer(1, 1 << 12));
  const auto peak = std::make_shared<double>();
  JobSpec job;
  job.compute = [peak, threads] { *peak = measurePeak(threads); };
  job.result = [peak](napi_env env, const std::vector<napi_value>&) { return fromDouble(env, *peak); };
  return startJob(env, std::move(job));
}

// A function of one argument that JavaScript can call.
template <napi_value (*function)(napi_env, napi_value)>
napi_value ofOneArgument(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    napi_value argument;
    std::size_t count = 1;
    check(env, napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr));
    return function(env, argument);
  });
}

napi_value initialise(napi_env env, napi_value exports) {
  keepConstructors(env);
  napi_value sets, name;
  check(env, napi_create_array(env, &sets));
  std::uint32_t count = 0;
  for (const InstructionSet& set : supportedInstructionSets()) {
    check(env, napi_create_string_utf8(env, set.name, NAPI_AUTO_LENGTH, &name));
    check(env, napi_set_element(env, sets, count++, name));
  }
  setProperty(env, exports, "instructionSets", sets);
  setFunction(env, exports, "createTrainer", createTrainer);
  setFunction(env, exports, "measurePeak", ofOneArgument<startPeak>);
  setFunction(env, exports, "findNeighbours", ofOneArgument<startNeighbours>);
  setFunction(env, exports, "countProbeHits", ofOneArgument<startProbe>);
  setFunction(env, exports, "singularValues", ofOneArgument<startSingularValues>);
  setFunction(env, exports, "measureLayer", ofOneArgument<startLayerMeasures>);
  setProperty(env, exports, "cuda", createCudaDoor(env));
  return exports;
}

}  // namespace

}  // namespace eigenae::addon

NAPI_MODULE_INIT() {
  return eigenae::addon::guarded(env, [&] { return eigenae::addon::initialise(env, exports); });
}
