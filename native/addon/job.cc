#include "job.h"

#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "values.h"

namespace eigenae::addon {

namespace {

// A job has a thread of its own instead of one of libuv's pool (napi_create_async_work). process.exit and
// worker.terminate wait for the pool before any cleanup hook runs, so an epoch could not be stopped; and a long epoch
// would occupy one of the four threads that file access shares.
struct Job {
  JobSpec spec;
  std::vector<napi_ref> references;
  napi_deferred deferred = nullptr;
  napi_threadsafe_function report = nullptr;
  std::thread thread;
  std::string error, code;  // set if `failed`; the code may be empty
  bool failed = false;
};

void compute(Job* job) {
  try {
    job->spec.compute();
  } catch (const std::exception& exception) {
    job->failed = true;
    job->error = exception.what();
    if (const char* code = codeOf(exception)) job->code = code;
  }
  napi_call_threadsafe_function(job->report, nullptr, napi_tsfn_nonblocking);
  napi_release_threadsafe_function(job->report, napi_tsfn_release);
}

// Runs if the environment is torn down while the job computes. Nothing that the job uses exists after this call.
void stopAndJoin(void* data) {
  Job* job = static_cast<Job*>(data);
  if (job->spec.stop) job->spec.stop();
  job->thread.join();
}

void reject(napi_env env, napi_deferred deferred, const std::string& message, const std::string& code = "") {
  napi_value text, error, codeText = nullptr;
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_reject_deferred(env, deferred, error);
    return;
  }
  if (napi_create_string_utf8(env, message.c_str(), message.size(), &text) != napi_ok) return;
  if (!code.empty() && napi_create_string_utf8(env, code.c_str(), code.size(), &codeText) != napi_ok) return;
  if (napi_create_error(env, codeText, text, &error) != napi_ok) return;
  napi_reject_deferred(env, deferred, error);
}

void settle(napi_env env, Job* job) {
  if (job->failed) return reject(env, job->deferred, job->error, job->code);
  try {
    std::vector<napi_value> kept(job->references.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
      check(env, napi_get_reference_value(env, job->references[i], &kept[i]));
    }
    napi_resolve_deferred(env, job->deferred, job->spec.result(env, kept));
  } catch (const std::exception& exception) {
    reject(env, job->deferred, exception.what());
  }
}

// Runs on the JavaScript thread once compute is done. Without env the environment is being torn down, and stopAndJoin
// has run.
void onReport(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  Job* job = static_cast<Job*>(context);
  job->thread.join();
  napi_remove_env_cleanup_hook(env, stopAndJoin, job);
  if (job->spec.finished) job->spec.finished();
  settle(env, job);
}

// Always the last call about a job.
void destroy(napi_env env, void*, void* context) {
  Job* job = static_cast<Job*>(context);
  for (napi_ref reference : job->references) napi_delete_reference(env, reference);
  delete job;
}

napi_value resourceName(napi_env env) {
  napi_value name;
  check(env, napi_create_string_utf8(env, "eigenae", NAPI_AUTO_LENGTH, &name));
  return name;
}

}  // namespace

napi_value startJob(napi_env env, JobSpec spec) {
  auto owned = std::make_unique<Job>();
  Job* job = owned.get();
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, resourceName(env), 0, 1, nullptr, destroy, job,
                                             onReport, &job->report));
  owned.release();  // `destroy` owns it from here on
  try {
    for (napi_value value : spec.kept) {
      napi_ref reference;
      check(env, napi_create_reference(env, value, 1, &reference));
      job->references.push_back(reference);
    }
    napi_value promise;
    check(env, napi_create_promise(env, &job->deferred, &promise));
    spec.kept.clear();
    job->spec = std::move(spec);
    job->thread = std::thread(compute, job);
    napi_add_env_cleanup_hook(env, stopAndJoin, job);
    return promise;
  } catch (...) {
    napi_release_threadsafe_function(job->report, napi_tsfn_abort);
    throw;
  }
}

}  // namespace eigenae::addon
