// Times all methods that the tbb backend has for each of a list of convolutions, and says where the planner's choice,
// which it makes without a clock, costs more than the fastest.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/io/parse_double.hpp>

#include "shapes.hpp"

namespace {

using namespace softscore;

constexpr const char* usage =
    R"(usage: conv_methods [WORDS...] [options]     all convolutions of the list, or those whose line contains a word

  --threads N     threads of the backend (default 1: what two threads share differs little between the methods)
  --seconds S     the time for each figure, which is the least of repetitions (default 0.1)
  --all           the times of all methods, beside what the planner expects
  --help          this text

A figure is one training step of the convolution: the weights are prepared, then one forward pass, then all gradients.
Methods that are expected to take twenty times as long as the choice are left out.
)";

struct options {
  std::vector<std::string> words;
  std::size_t threads = 1;
  double seconds = 0.1;
  bool all = false;
};

options read(int count, char** arguments) {
  options read;
  const auto value = [&](int& k) {
    const std::string option = arguments[k];
    require(k + 1 < count, "the value of " + option, "missing", "a number after it");
    const auto number = detail::parse_double(arguments[++k]);
    require(number && *number > 0, "the value of " + option, arguments[k], "a number above 0");
    return *number;
  };
  for (int k = 1; k < count; ++k) {
    const std::string_view argument = arguments[k];
    if (argument == "--help" || argument == "-h") {
      std::fputs(usage, stdout);
      std::exit(0);
    } else if (argument == "--threads") {
      read.threads = static_cast<std::size_t>(value(k));
    } else if (argument == "--seconds") {
      read.seconds = value(k);
    } else if (argument == "--all") {
      read.all = true;
    } else {
      require(!argument.starts_with("-"), "the option", argument, "one that --help lists");
      read.words.emplace_back(argument);
    }
  }
  return read;
}

// One convolution with its arrays; each method has its plan in turn.
class trial {
 public:
  trial(tbb_backend& be, const conv2d_shape& sizes) : be_{be}, sizes_{sizes} {
    be.normal(noise_key{.seed = 1}, image_range{0, sizes.images}, x_.view());
    be.normal(noise_key{.seed = 2}, image_range{0, sizes.images}, dy_.view());
    be.normal(noise_key{.seed = 3}, image_range{0, sizes.out_channels}, weight_.view());
  }

  // The least of the times of a training step in milliseconds, of as many as fit into some seconds.
  double step(conv2d_method method, double seconds) {
    using clock = std::chrono::steady_clock;
    auto plan = make_conv2d<float>(be_, sizes_, {}, method);
    double least = std::numeric_limits<double>::infinity(), all = 0;
    for (std::size_t k = 0; k < 2 || all < seconds; ++k) {
      const auto began = clock::now();
      conv2d_prepare<float>(be_, plan, weight_.view());
      conv2d_forward<float>(be_, plan, x_.view(), weight_.view(), bias_.view(), y_.view());
      conv2d_backward<float>(be_, plan, x_.view(), weight_.view(), dy_.view(), dx_.view(), dweight_.view(),
                             dbias_.view());
      const double gone = std::chrono::duration<double>(clock::now() - began).count();
      all += gone;
      if (k > 0) least = (std::min)(least, gone);  // the first one finds no memory in the caches
    }
    return 1e3 * least;
  }

 private:
  tbb_backend& be_;
  conv2d_shape sizes_;
  host_array<float> x_{be_.make<float>(sizes_.input(sizes_.images))}, dx_{be_.make<float>(x_.extent())};
  host_array<float> y_{be_.make<float>(sizes_.output(sizes_.images))}, dy_{be_.make<float>(y_.extent())};
  host_array<float> weight_{be_.make<float>(sizes_.weight())}, dweight_{be_.make<float>(sizes_.weight())};
  host_array<float> bias_{be_.make<float>({1, sizes_.out_channels, 1, 1})}, dbias_{be_.make<float>(bias_.extent())};
};

// Those that may be the fastest: not what is expected to take twenty times as long.
std::vector<conv2d_method> methods_for(const conv2d_shape& s) {
  const double least = detail::cost_of(conv2d_plan(s), s);
  std::vector<conv2d_method> methods;
  for (std::size_t k = 1; k < detail::conv2d_methods; ++k) {
    const auto method = static_cast<conv2d_method>(k);
    if (detail::serves(method, s) && detail::cost_of(method, s) < 20 * least) methods.push_back(method);
  }
  return methods;
}

void progress(std::size_t done, std::size_t all, const std::string& text) {
  std::fprintf(stderr, "\r%3zu/%zu  %s\x1b[K", done, all, text.c_str());
  std::fflush(stderr);
}

void run(const options& given) {
  std::vector<network_convolution> list;
  for (auto& each : network_convolutions()) {
    const std::string text = text_of(each);
    const auto within = [&](const std::string& word) { return text.find(word) != std::string::npos; };
    if (given.words.empty() || std::ranges::any_of(given.words, within)) list.push_back(std::move(each));
  }
  require(!list.empty(), "the number of convolutions with these words", 0, "at least 1");

  tbb_backend be{given.threads};
  std::vector<std::string> losses;
  std::printf("%zu floats side by side, %zu threads\n", detail::native_lanes, be.threads());
  for (std::size_t k = 0; k < list.size(); ++k) {
    const conv2d_shape& s = list[k].sizes;
    const std::string text = text_of(list[k]);
    const conv2d_method chosen = conv2d_plan(s);
    trial convolution{be, s};
    std::vector<std::pair<double, conv2d_method>> times;
    for (const conv2d_method method : methods_for(s)) {
      progress(k + 1, list.size(), text + ", " + std::string{detail::name_of(method)});
      times.emplace_back(convolution.step(method, given.seconds), method);
    }
    std::fputs("\r\x1b[K", stderr);
    const auto best = *std::ranges::min_element(times);
    const double of_chosen = std::ranges::find(times, chosen, &std::pair<double, conv2d_method>::second)->first;
    char line[256];
    std::snprintf(line, sizeof line, "%-62s %9.3f ms  %s", text.c_str(), of_chosen, detail::name_of(chosen).data());
    std::string row = line;
    if (of_chosen > 1.1 * best.first) {
      std::snprintf(line, sizeof line, "; %.0f %% more than %s", 100 * (of_chosen / best.first - 1),
                    detail::name_of(best.second).data());
      row += line;
      losses.push_back(row);
    }
    std::printf("%s\n", row.c_str());
    if (given.all)
      for (const auto& [time, method] : times)
        std::printf("    %-36s %9.3f ms, expected %9.3f ms\n", detail::name_of(method).data(), time,
                    1e-6 * static_cast<double>(s.images) * detail::cost_of(method, s));
    std::fflush(stdout);
  }
  std::printf("\nThe choice costs more than 10 %% for %zu of %zu convolutions%s\n", losses.size(), list.size(),
              losses.empty() ? "." : ":");
  for (const std::string& row : losses) std::printf("%s\n", row.c_str());
}

}  // namespace

int main(int count, char** arguments) try {
  run(read(count, arguments));
  return 0;
} catch (const std::exception& problem) {
  std::fprintf(stderr, "conv_methods: %s\n", problem.what());
  return 1;
}
