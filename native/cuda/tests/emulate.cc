// Runs the kernels of ../kernel on the processor: reads a request from a file, launches it on fibers, and writes the
// result to another file. Compiled once for each shape (kernel/layout.h has the macros); tests/support/emulated-cuda.ts
// writes the requests.
//
//   emulate <request> <response> [--descending]
//
// Both files are numbers in the machine's byte order: int32, float64, and arrays after their int32 length. Exits with 1
// after a message if the launch fails.
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../core/optimizer_step.h"
#include "../host/term.h"
#include "core.cu"

namespace {

namespace cuda = eigenae::cuda;
namespace emulation = eigenae::emulation;

class Request {
 public:
  explicit Request(const char* path) : file_(std::fopen(path, "rb")) {
    if (file_ == nullptr) throw std::runtime_error(std::string("cannot read ") + path);
  }
  ~Request() { std::fclose(file_); }

  template <typename T>
  T number() {
    T value;
    read(&value, sizeof value, 1);
    return value;
  }
  int integer() { return number<std::int32_t>(); }
  double real() { return number<double>(); }
  template <typename T>
  std::vector<T> array() {
    std::vector<T> values(integer());
    read(values.data(), sizeof(T), values.size());
    return values;
  }

 private:
  void read(void* to, std::size_t size, std::size_t count) {
    if (std::fread(to, size, count, file_) != count) throw std::runtime_error("the request is too short");
  }
  std::FILE* file_;
};

class Response {
 public:
  explicit Response(const char* path) : file_(std::fopen(path, "wb")) {
    if (file_ == nullptr) throw std::runtime_error(std::string("cannot write ") + path);
  }
  ~Response() {
    if (file_ != nullptr) std::fclose(file_);
  }
  template <typename T>
  void array(const std::vector<T>& values) {
    const auto count = static_cast<std::int32_t>(values.size());
    std::fwrite(&count, sizeof count, 1, file_);
    std::fwrite(values.data(), sizeof(T), values.size(), file_);
  }

 private:
  std::FILE* file_;
};

template <typename T>
T* pointer(std::vector<T>& values) {
  return values.empty() ? nullptr : values.data();
}

// A model of a launch, with the memory that its Training points to.
struct Model {
  eigenae::State state;
  std::vector<std::uint8_t> images;
  std::vector<std::uint32_t> order;
  std::vector<float> clean, noisy;
  std::vector<eigenae::OptimizerStep> factors;
  std::vector<double> weights, losses;
  std::vector<float> exchange;
  std::vector<unsigned> counter;
  std::vector<double> scratch;
  std::vector<eigenae::EigenLossSpec> eigenLosses;  // their formulas are read in place
  cuda::Training training{};

  explicit Model(Request& request) {
    eigenae::TrainerSpec spec;
    const int optimizer = request.integer();
    double numbers[4];
    for (double& number : numbers) number = request.real();
    if (optimizer == cuda::adam) {
      spec.optimizer = eigenae::AdamSpec{numbers[0], numbers[1], numbers[2], numbers[3]};
    } else {
      spec.optimizer = eigenae::SgdSpec{numbers[0], numbers[1] != 0};
    }
    const double averaging = request.real();  // negative without averaging
    if (averaging >= 0) spec.averaging = averaging;
    training.slope = static_cast<float>(request.real());
    training.noise = static_cast<float>(request.real());
    training.seed = request.number<std::uint32_t>();
    training.purpose = request.number<std::uint32_t>();
    training.epoch = request.number<std::uint32_t>();
    training.imageCount = request.integer();
    training.firstImage = request.integer();
    training.termCount = request.integer();
    spec.eigenLosses.resize(training.termCount);
    for (eigenae::EigenLossSpec& eigenLoss : spec.eigenLosses) {
      eigenLoss.center = request.integer() != 0;
      eigenLoss.minimumImages = request.integer();
      const std::vector<std::uint32_t> words = request.array<std::uint32_t>();
      const std::vector<double> constants = request.array<double>();
      eigenLoss.formulas = {
          eigenae::decodeTape(words.data(), words.size(), constants.data(), constants.size(), cuda::latent)};
    }
    training.scratchSize = cuda::scratchSizeOf(spec);
    eigenLosses = spec.eigenLosses;
    for (int i = 0; i < training.termCount; ++i) {
      const eigenae::Tape& tape = eigenLosses[i].formulas.front();
      training.terms[i] = cuda::termOf(eigenLosses[i], tape.code.data(), tape.constants.data());
    }
    scratch.assign(static_cast<std::size_t>(cuda::blocks) * training.scratchSize,
                   std::numeric_limits<double>::quiet_NaN());
    state.step = request.integer();
    for (auto* values : {&state.parameters, &state.firstMoments, &state.secondMoments, &state.runningStatistics,
                         &state.averagedParameters, &state.averagedStatistics})
      *values = request.array<float>();
    images = request.array<std::uint8_t>();
    order = request.array<std::uint32_t>();
    clean = request.array<float>();
    noisy = request.array<float>();
    const std::vector<double> learningRates = request.array<double>();
    weights = request.array<double>();
    if (state.parameters.size() != static_cast<std::size_t>(cuda::parameters))
      throw std::runtime_error("the request is for another shape");

    training.steps = static_cast<int>(learningRates.size());
    for (int i = 0; i < training.steps; ++i)
      factors.push_back(eigenae::stepFactors(spec, state.step + i + 1, learningRates[i]));
    training.optimizer = optimizer;
    losses.assign(static_cast<std::size_t>(training.steps) * (1 + training.termCount), -1);
    exchange.assign(cuda::exchangeBytes(cuda::shape) / 4, std::numeric_limits<float>::quiet_NaN());
    counter.assign(32, 0);
    if (state.step == 0)
      for (auto* averages : {&state.averagedParameters, &state.averagedStatistics})
        averages->assign(averages->size(), 0);
    training.parameters = pointer(state.parameters);
    training.firstMoments = pointer(state.firstMoments);
    training.secondMoments = pointer(state.secondMoments);
    training.averages = pointer(state.averagedParameters);
    training.runningStatistics = pointer(state.runningStatistics);
    training.averagedStatistics = pointer(state.averagedStatistics);
    training.images = pointer(images);
    training.order = pointer(order);
    training.clean = pointer(clean);
    training.noisy = pointer(noisy);
    training.factors = pointer(factors);
    training.weights = pointer(weights);
    training.losses = pointer(losses);
    training.exchange = pointer(exchange);
    training.counter = pointer(counter);
    training.scratch = pointer(scratch);
  }
  Model(const Model&) = delete;
  Model(Model&&) = default;

  void write(Response& response) const {
    for (const auto* values : {&state.parameters, &state.firstMoments, &state.secondMoments, &state.runningStatistics,
                               &state.averagedParameters, &state.averagedStatistics})
      response.array(*values);
    response.array(losses);
  }
};

void requireCompleted(const emulation::LaunchResult& result) {
  if (result.outcome != emulation::Outcome::completed) throw std::runtime_error(result.problem);
}

void answerTrain(Request& request, Response& response, emulation::Order order) {
  std::vector<Model> models;
  const int count = request.integer();
  models.reserve(count);
  for (int i = 0; i < count; ++i) models.emplace_back(request);
  std::vector<cuda::Training> arguments;
  for (const Model& model : models) arguments.push_back(model.training);
  const emulation::Grid grid{static_cast<unsigned>(count * cuda::blocks), cuda::threads,
                             static_cast<std::size_t>(cuda::sharedBytes(cuda::shape)), true};
  requireCompleted(emulation::launch(
      grid, [&] { ::train(arguments.data()); }, order));
  for (const Model& model : models) model.write(response);
}

void answerInfer(Request& request, Response& response, emulation::Order order) {
  cuda::Inference call{};
  call.mode = request.integer();
  call.count = request.integer();
  const int blocks = request.integer(), outputs = request.integer();
  call.slope = static_cast<float>(request.real());
  call.noise = static_cast<float>(request.real());
  call.seed = request.number<std::uint32_t>();
  call.purpose = request.number<std::uint32_t>();
  call.epoch = request.number<std::uint32_t>();
  std::vector<float> parameters = request.array<float>(), statistics = request.array<float>();
  std::vector<std::uint8_t> bytes = request.array<std::uint8_t>();
  std::vector<float> floats = request.array<float>();
  std::vector<float> output(static_cast<std::size_t>(outputs), -1);
  std::vector<double> sums((call.count + cuda::inferenceImages - 1) / cuda::inferenceImages, -1);
  call.parameters = pointer(parameters);
  call.runningStatistics = pointer(statistics);
  call.bytes = pointer(bytes);
  call.floats = pointer(floats);
  call.outputs = pointer(output);
  call.sums = pointer(sums);
  const emulation::Grid grid{static_cast<unsigned>(blocks), cuda::workers,
                             static_cast<std::size_t>(cuda::inferenceSharedBytes(cuda::shape)), false};
  requireCompleted(emulation::launch(
      grid, [&] { ::infer(&call); }, order));
  response.array(output);
  response.array(sums);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3) throw std::runtime_error("usage: emulate <request> <response> [--descending]");
    const bool descending = argc > 3 && std::string(argv[3]) == "--descending";
    const auto order = descending ? emulation::Order::descending : emulation::Order::ascending;
    Request request(argv[1]);
    Response response(argv[2]);
    (request.integer() == 0 ? answerTrain : answerInfer)(request, response, order);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "emulate: %s\n", error.what());
    return 1;
  }
}
