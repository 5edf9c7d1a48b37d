// The first contact with a card, without Node: trains the arms of arms.txt with the shipped kernels and the host
// library.
//
//   card bytes [--arms NAMES] [--models N] [--write]   compares the bytes of a training with those of card-bytes.txt
//   card times [--arms NAMES] [--models N,N] [--steps N]   microseconds a step, of several models at once
//   card phases [--arms NAMES] [--steps N]   cycles of each phase of a step
//
// Run it in the project's folder. EIGENAE_LIBCUDA names another libcuda. scripts/gpu-check.sh builds and calls it.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/codec.h"
#include "core/layout.h"
#include "core/random.h"
#include "cuda/host/card.h"
#include "cuda/host/images.h"
#include "cuda/host/launches.h"
#include "cuda/host/model.h"
#include "cuda/host/plan.h"

namespace {

using namespace eigenae;

const std::string armsFile = "bench/cuda/arms.txt", bytesFile = "bench/cuda/card-bytes.txt";
const std::string kernelFolder = "native/cuda/ptx/";

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read; run this in the project's folder");
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string readGzip(const std::string& path) {
  FILE* const pipe = popen(("gzip -dc '" + path + "'").c_str(), "r");
  std::string text;
  char buffer[65536];
  for (std::size_t n; pipe != nullptr && (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  if (pipe == nullptr || pclose(pipe) != 0 || text.empty()) throw std::runtime_error(path + ": cannot be decompressed");
  return text;
}

struct Options {
  std::string command, arms;
  std::vector<int> models;
  int steps = 938;  // of an epoch of MNIST with batches of 64
  bool write = false;
};

Options parse(int argc, char** argv) {
  if (argc < 2) throw std::invalid_argument("no command");
  Options options;
  options.command = argv[1];
  for (int i = 2; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--write") {
      options.write = true;
      continue;
    }
    if (++i == argc) throw std::invalid_argument(name + " needs a value");
    const std::string value = argv[i];
    if (name == "--arms") {
      options.arms = value;
    } else if (name == "--steps") {
      options.steps = std::stoi(value);
    } else if (name == "--models") {
      for (const std::string& each : split(value, ',')) options.models.push_back(std::stoi(each));
    } else {
      throw std::invalid_argument("there is no option " + name);
    }
  }
  return options;
}

std::string libcuda() {
  const char* const named = std::getenv("EIGENAE_LIBCUDA");
  return named != nullptr && *named != '\0' ? named : "libcuda.so.1";
}

using Arms = std::vector<std::pair<std::string, TrainerSpec>>;

// Returns the specs of the named arms, or of all: arms.txt has them as src/engines/core.ts encodes them.
Arms readArms(const std::string& names) {
  const std::vector<std::string> wanted = split(names, ',');
  Arms arms;
  for (const std::string& line : split(readFile(armsFile), '\n')) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    const std::vector<double> numbers{std::istream_iterator<double>(words), {}};
    if (names.empty() || std::count(wanted.begin(), wanted.end(), name) > 0)
      arms.emplace_back(name, decodeSpec(numbers.data(), numbers.size()));
  }
  if (arms.size() < wanted.size()) throw std::invalid_argument(armsFile + ": has not all of the arms " + names);
  return arms;
}

// Returns the shipped PTX of a plan: index.json lists the options of each file.
std::string shippedKernel(const cuda::Plan& plan) {
  const std::string index = readFile(kernelFolder + "index.json");
  std::string options;
  for (const std::string& option : plan.options()) options += (options.empty() ? "\"" : ",\n      \"") + option + "\"";
  const std::size_t at = index.find(options), key = index.rfind("\"key\": \"", at) + 8;
  if (at == std::string::npos) throw std::runtime_error("the package has no kernel for this card");
  return readGzip(kernelFolder + index.substr(key, 32) + ".ptx.gz");
}

// Words that depend on the index and the purpose alone.
std::uint32_t word(std::uint32_t index, std::uint32_t purpose) { return philox4x32({index, 0, 0, 0}, {purpose, 0})[0]; }

std::shared_ptr<const cuda::DeviceImages> digits(const std::shared_ptr<cuda::Card>& card, std::size_t count) {
  std::vector<std::uint8_t> pixels(count * 784);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const std::uint32_t w = word(static_cast<std::uint32_t>(i), 1);
    pixels[i] = w % 5 == 0 ? static_cast<std::uint8_t>(w) : 0;
  }
  return std::make_shared<const cuda::DeviceImages>(card, pixels);
}

State firstState(const TrainerSpec& spec) {
  const Layout layout = makeLayout(spec);
  State state;
  for (auto* values : {&state.parameters, &state.firstMoments, &state.secondMoments})
    values->assign(layout.parameterCount, 0);
  state.runningStatistics.assign(layout.runningStatisticCount, 0);
  if (layout.averaged) {
    state.averagedParameters = state.parameters;
    state.averagedStatistics = state.runningStatistics;
  }
  for (const Layer& layer : layout.layers) {
    const float bound = std::sqrt(6.0f / static_cast<float>(layer.inputs));
    const std::size_t weights = static_cast<std::size_t>(layer.inputs) * static_cast<std::size_t>(layer.outputs);
    for (std::size_t i = layer.weight; i < layer.weight + weights; ++i) {
      const std::uint32_t random = word(static_cast<std::uint32_t>(i), 100 + spec.seed);
      state.parameters[i] = (static_cast<float>(random >> 8) * 0x1p-23f - 1) * bound;
    }
    if (layer.batchNorm) std::fill_n(state.parameters.begin() + static_cast<long>(layer.gamma), layer.outputs, 1.0f);
  }
  return state;
}

// Models of one arm, with seeds 0, 1, …, and what they train on.
struct Training {
  std::shared_ptr<const cuda::DeviceImages> images;
  std::vector<std::uint32_t> order;
  std::vector<double> rates, weights;
  std::vector<std::unique_ptr<cuda::Model>> models;
  std::vector<cuda::Model*> pointers;
  cuda::Launches launches;

  Training(const std::shared_ptr<const cuda::Kernel>& kernel, TrainerSpec spec, int count, int steps)
      : launches(kernel) {
    const std::size_t batch = static_cast<std::size_t>(spec.batchSize), all = static_cast<std::size_t>(steps) * batch;
    images = digits(kernel->card(), std::min(all, std::size_t{60000}));
    for (std::size_t i = 0; i < all; ++i) order.push_back(static_cast<std::uint32_t>(i * 7919 % images->count(784)));
    rates.assign(static_cast<std::size_t>(steps), 0.005);
    weights.assign(rates.size() * spec.eigenLosses.size(), 1);
    for (int i = 0; i < count; ++i) {
      spec.seed = static_cast<std::uint32_t>(i);
      models.push_back(std::make_unique<cuda::Model>(kernel, spec));
      models.back()->setState(firstState(spec));
      pointers.push_back(models.back().get());
    }
  }

  void begin(std::uint32_t epoch) {
    for (cuda::Model* model : pointers) model->beginEpoch(images, order, epoch, {rates.data(), weights.data()});
  }
};

// A hash (FNV-1a, 64 bits) of a model's state and losses.
std::string hashOf(cuda::Model& model) {
  std::uint64_t hash = 14695981039346656037u;
  const auto add = [&](const void* data, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211u;
  };
  const State state = model.getState();
  for (const auto* values : {&state.parameters, &state.firstMoments, &state.secondMoments, &state.runningStatistics,
                             &state.averagedParameters, &state.averagedStatistics})
    add(values->data(), values->size() * sizeof(float));
  const std::vector<double> losses = encodeLosses(model.losses());
  add(losses.data(), losses.size() * sizeof(double));
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

// A card with the arms that it can train.
class Bench {
 public:
  explicit Bench(Options options)
      : options_(std::move(options)), card_(std::make_shared<cuda::Card>(cuda::CardOptions{libcuda(), {}})) {
    const cuda::CardFacts& facts = card_->facts();
    std::printf("%s, capability %d.%d, %d multiprocessors, %d KB of shared memory a block, driver for CUDA %d.%d\n",
                facts.name.c_str(), facts.capability / 10, facts.capability % 10, facts.multiprocessors,
                facts.sharedBytesPerBlock / 1024, facts.driverVersion / 1000, facts.driverVersion % 1000 / 10);
  }

  // Returns whether the card trains an arm, and all bytes are those of the emulation. Six steps in launches of 2 and 4;
  // one model, then several.
  bool bytes() {
    std::map<std::string, std::string> found, expected;
    if (!options_.write)
      for (const std::string& line : split(readFile(bytesFile), '\n'))
        expected[line.substr(0, line.rfind(' '))] = line.substr(line.rfind(' ') + 1);
    bool same = true;
    forEachArm([&](const std::string& name, const TrainerSpec& spec, const auto& kernel) {
      for (const int count : counts({1, 4}, *kernel)) {
        Training training(kernel, spec, count, 6);
        training.begin(1);
        for (const int steps : {2, 4}) training.launches.train(training.pointers, steps);
        for (int i = 0; i < count; ++i) {
          const std::string key = name + " seed " + std::to_string(i), hash = hashOf(*training.pointers[i]);
          found.emplace(key, hash);
          const bool right = hash == (options_.write ? found : expected)[key];
          same = same && right;
          std::printf("%-12s seed %d, %d at once: %s %s\n", name.c_str(), i, count, hash.c_str(),
                      right ? "the same bytes as the emulation" : "OTHER BYTES");
        }
      }
    });
    if (options_.write) {
      std::ofstream file(bytesFile);
      for (const auto& [key, hash] : found) file << key << ' ' << hash << '\n';
    }
    if (found.empty()) std::printf("nothing to compare: the card trains none of the arms\n");
    return same;
  }

  void times() {
    forEachArm([&](const std::string& name, const TrainerSpec& spec, const auto& kernel) {
      for (const int count : counts({1, 4, 10}, *kernel)) {
        Training training(kernel, spec, count, options_.steps);
        double best = INFINITY;
        for (std::uint32_t epoch = 1; epoch <= 3; ++epoch) {
          training.begin(epoch);
          const auto begin = std::chrono::steady_clock::now();
          training.launches.train(training.pointers, options_.steps);
          best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        }
        std::printf("%-12s %2d at once, %d steps: %.4f s, %.2f us a step, %.2f us a step of a model\n", name.c_str(),
                    count, options_.steps, best, best * 1e6 / options_.steps, best * 1e6 / options_.steps / count);
      }
    });
  }

  void phases();

 private:
  using Visit = std::function<void(const std::string&, const TrainerSpec&, const std::shared_ptr<const cuda::Kernel>&)>;

  // Calls visit for each arm that the card trains. `change` is applied to the PTX.
  void forEachArm(const Visit& visit, const std::function<std::string(std::string)>& change = nullptr) {
    for (const auto& [name, spec] : readArms(options_.arms)) {
      const cuda::Plan plan = cuda::planFor(spec, card_->facts().sharedBytesPerBlock, card_->facts().multiprocessors);
      if (plan.refusal) {
        std::printf("%-12s not trained: %s\n", name.c_str(), plan.refusal->c_str());
        continue;
      }
      const std::string ptx = shippedKernel(plan);
      const auto begin = std::chrono::steady_clock::now();
      const auto kernel = std::make_shared<const cuda::Kernel>(card_, change ? change(ptx) : ptx, plan.shape);
      std::printf("%-12s %d blocks a model; models at once: %d; compiled in %.2f s\n", name.c_str(), plan.shape.blocks,
                  kernel->modelsPerLaunch(),
                  std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
      visit(name, spec, kernel);
      std::fflush(stdout);
    }
  }

  // The numbers of models to train at once: those of --models or the usual ones, each at most what the card holds.
  std::vector<int> counts(std::vector<int> usual, const cuda::Kernel& kernel) const {
    if (!options_.models.empty()) usual = options_.models;
    for (int& count : usual) count = std::min(count, kernel.modelsPerLaunch());
    usual.erase(std::unique(usual.begin(), usual.end()), usual.end());
    return usual;
  }

  const Options options_;
  const std::shared_ptr<cuda::Card> card_;
};

// A point of the kernel at which one thread of a block adds the cycles since its last point to a sum.
struct Point {
  std::string name;
  int thread;
};

// Row of a block in the memory of the sums.
constexpr int pointsOfBlock = 64;

// Adds points to the PTX of `train`: before each arrival at a barrier of the model's blocks, after each wait, and
// around the ninth warp's work. NVRTC keeps the order of the source.
std::string withPoints(const std::string& ptx, cuda::DeviceAddress sums, std::vector<Point>& points) {
  const auto point = [&](const std::string& name, int thread) {
    points.push_back({name, thread});
    const std::string place = "[%pointAt+" + std::to_string(8 * (points.size() - 1)) + "]";
    return "mov.u32 %pointIn, %tid.x;\nsetp.eq.u32 %pointIs, %pointIn, " + std::to_string(thread) +
           ";\nmov.u32 %pointIn, %ctaid.x;\nmov.u64 %pointAt, " + std::to_string(sums) +
           ";\nmad.wide.u32 %pointAt, %pointIn, " + std::to_string(8 * pointsOfBlock) +
           ", %pointAt;\nmov.u64 %pointNow, %clock64;\nsub.u64 %pointBefore, %pointNow, %pointLast;\n@%pointIs "
           "ld.global.u64 " +
           "%pointSum, " + place + ";\nadd.u64 %pointSum, %pointSum, %pointBefore;\n@%pointIs st.global.u64 " + place +
           ", %pointSum;\nmov.u64 %pointLast, %pointNow;\n";
  };
  std::string result;
  bool inTrain = false, waits = false;
  int arrivals = 0, barriers = 0;
  for (const std::string& line : split(ptx, '\n')) {
    const auto has = [&](const char* text) { return line.find(text) != std::string::npos; };
    if (has(".entry ")) inTrain = has(".entry train(");
    if (inTrain && has("red.release")) result += point("phase " + std::to_string(++arrivals), 0);
    if (inTrain && has("barrier.sync 0") && barriers == 1) result += point("eigen losses", 256);
    result += line + '\n';
    if (inTrain && line == "{")
      result +=
          ".reg .pred %pointIs;\n.reg .b32 %pointIn;\n.reg .b64 %pointAt, %pointNow, %pointLast, %pointBefore, "
          "%pointSum;\nmov.u64 %pointLast, %clock64;\nmov.u64 %pointSum, 0;\n";
    if (inTrain && has("ld.acquire")) waits = true;
    if (inTrain && waits && has("barrier.sync 1")) {
      waits = false;
      result += point("wait " + std::to_string(arrivals), 0);
    }
    if (inTrain && has("barrier.sync 0")) {
      if (barriers++ == 0) result += point("eigen losses wait", 256);
    }
  }
  return result;
}

void Bench::phases() {
  const std::size_t blocks = 1024;
  const cuda::DeviceMemory sums(card_, blocks * pointsOfBlock * 8);
  std::vector<Point> points;
  const auto change = [&](const std::string& ptx) {
    points.clear();
    return withPoints(ptx, sums.address(), points);
  };
  forEachArm(
      [&](const std::string&, const TrainerSpec& spec, const std::shared_ptr<const cuda::Kernel>& kernel) {
        cuda::DeviceStream stream(card_);
        stream.clear(sums, sums.bytes());
        stream.wait();
        Training training(kernel, spec, 1, options_.steps);
        training.begin(1);
        training.launches.train(training.pointers, options_.steps);
        std::vector<unsigned long long> cycles(blocks * pointsOfBlock);
        stream.download(cycles.data(), sums, sums.bytes());
        for (std::size_t i = 0; i < points.size(); ++i) {
          double sum = 0;
          for (int block = 0; block < kernel->shape().blocks; ++block)
            sum += static_cast<double>(cycles[static_cast<std::size_t>(block) * pointsOfBlock + i]);
          std::printf("  %-18s %9.0f cycles a step\n", points[i].name.c_str(),
                      sum / kernel->shape().blocks / options_.steps);
        }
      },
      change);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    if (options.command != "bytes" && options.command != "times" && options.command != "phases")
      throw std::invalid_argument("there is no command " + options.command);
    Bench bench(options);
    if (options.command == "bytes") return bench.bytes() ? 0 : 1;
    options.command == "times" ? bench.times() : bench.phases();
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "card: %s\nusage: card bytes|times|phases [--arms NAMES] [--models N,N] [--steps N]\n",
                 error.what());
    return 2;
  } catch (const cuda::CudaError& error) {
    std::fprintf(stderr, "card: %s (%s)\n", error.what(), error.code());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "card: %s\n", error.what());
    return 1;
  }
}
