// A computation off the JavaScript thread, and the promise of its result.
#pragma once

#include <node_api.h>

#include <functional>
#include <vector>

namespace eigenae::addon {

struct JobSpec {
  std::vector<napi_value> kept;    // values whose memory `compute` uses; kept alive until it is done
  std::function<void()> compute;   // runs on the job's own thread; an exception rejects the promise
  std::function<void()> stop;      // makes compute return early
  std::function<void()> finished;  // runs on the JavaScript thread, whether compute succeeded or failed
  // Runs on the JavaScript thread if compute succeeded. Returns the value of the promise.
  std::function<napi_value(napi_env, const std::vector<napi_value>& kept)> result;
};

// Starts the job and returns its promise.
napi_value startJob(napi_env env, JobSpec spec);

}  // namespace eigenae::addon
