// A computation off the JavaScript thread, and the promise of its result.
#pragma once

#include <node_api.h>

#include <functional>
#include <vector>

namespace eigenae::addon {

struct JobSpec {
  std::vector<napi_value> kept;  // values whose memory `compute` uses: they live until it is done
  std::function<void()> compute;  // on the job's own thread; what it throws rejects the promise
  std::function<void()> stop;     // asks compute to return early
  std::function<void()> finished;  // on the JavaScript thread, however compute ended
  std::function<napi_value(napi_env, const std::vector<napi_value>& kept)> result;  // on the JavaScript thread
};

// Starts the job and returns its promise.
napi_value startJob(napi_env env, JobSpec spec);

}  // namespace eigenae::addon
