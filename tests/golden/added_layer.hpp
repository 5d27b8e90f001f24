#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/log_snr.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/add_net.hpp>
#include <softscore/nn/behind_frozen.hpp>
#include <softscore/nn/diffusers/weights.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/sample_branching.hpp>

#include "drawn_noise_backend.hpp"
#include "golden_case.hpp"
#include "worse.hpp"

namespace golden {

// A backend with the noise that a file holds of a run: its start, which is made of `sigma` times that noise, and the
// numbers of every step.
template <class Be>
class noise_of_run : public Be {
 public:
  noise_of_run(const safetensors_file& file, std::string run, double sigma)
      : file_{file}, run_{std::move(run)}, sigma_{sigma} {}

  template <Scalar T>
  void normal(noise_key key, image_range images, view<T, typename Be::space> out) {
    const bool start = key.stream == noise_stream::start;
    const auto all = file_.template tensor<float>(run_ + (start ? "/x" : "/n" + std::to_string(key.step)));
    const std::size_t first = static_cast<std::size_t>(images.first) * out.extent().per_image();
    std::vector<T> numbers(out.size());
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = static_cast<T>(static_cast<double>(all.at(first + i)) / (start ? sigma_ : 1));
    this->upload(numbers.data(), out);
  }
  void combine_with_normal() = delete;  // would draw

 private:
  const safetensors_file& file_;
  std::string run_;
  double sigma_;
};
// The uniform numbers of such a run.
struct uniform_of_run {
  const safetensors_file* file;
  std::string run;

  template <class T>
  void operator()(std::size_t step, std::size_t copy, std::size_t, std::size_t, std::span<T> numbers) const {
    const auto all = file->tensor<float>(run + "/u" + std::to_string(step) + "." + std::to_string(copy));
    require(all.size() == numbers.size(), "the uniform numbers of a copy", all.size(), "as many as are asked for");
    std::copy(all.begin(), all.end(), numbers.begin());
  }
};

// The layer that Ng et al. n.d. add behind their U-Net, from what a file holds under add_*, loss/* and v1/*: its value
// and gradients, the loss of both networks, and a guided run.
template <class T, class Be>
class added_layer_check {
 public:
  added_layer_check(const char* backend, Be& be, const golden_case& g, unet<log_snr> net, const bounds& allowed,
                    outcome& result)
      : backend_{backend},
        be_{be},
        g_{g},
        allowed_{allowed},
        result_{result},
        batch_{shape_of(g.tensors.extent("add_v"))},
        both_{std::move(net), add_net<>{batch_, {.kernel = kernel()}}} {
    const std::vector<std::string> names = g.tensors.names();
    const bool stored =
        std::any_of(names.begin(), names.end(), [](const auto& n) { return n.starts_with("add_param/"); });
    add_net<>& added = both_.added();
    if (stored) {
      require_whole(read_weights(g.tensors, added.layout(), added.mutable_parameters(), "add_param/"), g.file.string());
      return;
    }
    for (const parameter& p : added.layout()) {
      const auto drawn = drawn_parameter(g.tensors.metadata("case") + ".add_net", p.name, p.sizes);
      std::copy(drawn.begin(), drawn.end(), added.mutable_parameters().begin() + static_cast<std::ptrdiff_t>(p.offset));
    }
  }

  void run() {
    compare_layer();
    compare_losses();
    if (!g_.tensors.contains("v1/x")) return;
    compare_run();
    compare_branching("v2", 0.0);
    compare_branching("v2_eta", 1.0);
  }

 private:
  using network = behind_frozen<unet<log_snr>, add_net<>>;
  static inline const corruption noising{scaling{}, log_snr_schedule<ddpm_log_snr>{}};

  std::size_t kernel() const {
    return read_json_settings(fs::path{g_.file}.replace_extension(".json")).size("kernel", 0);
  }
  auto flat() { return be_.template make<T>({1, 1, 1, both_.parameter_count()}); }
  auto uploaded(const std::vector<float>& values, const shape& extent) {
    auto array = be_.template make<T>(extent);
    be_.upload(std::vector<T>(values.begin(), values.end()).data(), array.view());
    return array;
  }
  template <class View>
  std::vector<T> downloaded(View from) {
    std::vector<T> values(from.size());
    be_.download(from, values.data());
    return values;
  }
  std::vector<class_label> labels(const std::string& name) const {
    std::vector<class_label> all;
    for (const std::int64_t label : g_.tensors.tensor<std::int64_t>(name))
      all.push_back(static_cast<class_label>(label));
    return all;
  }
  void report(const char* what, double error, double bound, const std::string& where = "") {
    result_.report(g_.name(), backend_, what, error, bound, where);
  }

  void compare_layer() {
    const add_net<>& added = both_.added();
    const auto classes = labels("add_classes");
    auto params = uploaded({added.parameters().begin(), added.parameters().end()}, {1, 1, 1, added.parameter_count()});
    auto v = uploaded(g_.tensors.template tensor<float>("add_v"), batch_),
         dout = uploaded(g_.tensors.template tensor<float>("add_dout"), batch_);
    auto out = be_.template make<T>(batch_), dv = be_.template make<T>(batch_), gradients = flat();
    auto ws = added.workspace<T>(be_, batch_);
    const network_input<log_snr> input{log_snr{0}, conditioning{.labels = classes}};
    added.forward(be_, params.view(), input, v.view(), out.view(), ws);
    added.backward(be_, params.view(), dout.view(), dv.view(), gradients.view(), ws);
    report("add_net", relative(downloaded(out.view()), g_.tensors.template tensor<double>("add_output_f64")),
           allowed_.output);
    report("add_net dv", relative(downloaded(dv.view()), g_.tensors.template tensor<float>("add_dv")),
           allowed_.gradient);
    const std::vector<T> all = downloaded(gradients.view());
    double worst = 0;
    std::string where;
    for (const parameter& p : added.layout()) {
      const std::vector<T> ours(all.begin() + static_cast<std::ptrdiff_t>(p.offset),
                                all.begin() + static_cast<std::ptrdiff_t>(p.offset + p.size()));
      const std::string name = "add_grad/" + p.name;
      const double error = relative(
          ours, g_.tensors.contains(name) ? g_.tensors.template tensor<float>(name) : std::vector<float>(p.size()));
      if (error <= worst) continue;
      worst = worse(worst, error);
      where = p.name;
    }
    report("add_net gradients", worst, allowed_.gradient, where);
  }

  // mean over images of a^2 mean (v - (a eps - sigma x_0))^2, of the U-Net and behind it.
  void compare_losses() {
    const auto reals = g_.tensors.template tensor<float>("loss/reals"),
               eps = g_.tensors.template tensor<float>("loss/eps");
    const auto lambda = g_.tensors.template tensor<double>("loss/log_snr_f64"),
               a = g_.tensors.template tensor<double>("loss/alpha_f64"),
               sigma = g_.tensors.template tensor<double>("loss/sigma_f64"),
               weight = g_.tensors.template tensor<double>("loss/weight_f64");
    const auto classes = labels("loss/classes");
    const std::size_t each = batch_.per_image();
    std::vector<T> x(batch_.size());
    std::vector<double> target(batch_.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double of_x = static_cast<double>(reals[i]), of_eps = static_cast<double>(eps[i]);
      x[i] = static_cast<T>(a[i / each] * of_x + sigma[i / each] * of_eps);
      target[i] = a[i / each] * of_eps - sigma[i / each] * of_x;
    }
    std::vector<log_snr> times;
    for (const double l : lambda) times.push_back({l});
    const auto loss_of = [&](const auto& net, const conditioning& known) {
      auto in = be_.template make<T>(batch_), out = be_.template make<T>(batch_);
      be_.upload(x.data(), in.view());
      auto ws = net.template workspace<T>(be_, batch_);
      net.evaluate(be_, network_input<log_snr>{per_image<log_snr>{std::span<const log_snr>{times}}, known}, in.view(),
                   out.view(), ws);
      const std::vector<T> v = downloaded(out.view());
      double sum = 0;
      for (std::size_t i = 0; i < v.size(); ++i)
        sum += weight[i / each] * std::pow(static_cast<double>(v[i]) - target[i], 2) / static_cast<double>(v.size());
      return std::vector<double>{sum};
    };
    report("loss", relative(loss_of(both_.frozen(), {}), g_.tensors.template tensor<double>("loss/unet_f64")),
           allowed_.output);
    report("loss behind",
           relative(loss_of(both_, {.labels = classes}), g_.tensors.template tensor<double>("loss/add_net_f64")),
           allowed_.output);
  }

  // DDIM with eta 1 from the file's start and noise; the layer acts while i <= steps / 2.
  void compare_run() {
    const auto& file = g_.tensors;
    const shape batch = shape_of(file.extent("v1/x"));
    std::vector<float> noise;
    std::size_t steps = 1;
    for (; file.contains("v1/n" + std::to_string(steps - 1)); ++steps) {
      const auto of_step = file.template tensor<float>("v1/n" + std::to_string(steps - 1));
      noise.insert(noise.end(), of_step.begin(), of_step.end());
    }
    using backend = drawn_noise<Be>;
    backend be{std::move(noise), batch.images};
    const time_grid grid = uniform_grid(steps);
    network net = both_;
    net.set_limit({log_snr_at(noising, grid[steps / 2].t).value + 1e-9});
    const velocity_denoiser denoiser{std::move(net), noising};
    const auto classes = labels("v1/classes");
    start_point<backend, T> from{
        be.template make<T>(batch), be.template make<T>(batch), {0, batch.images}, {.labels = classes}};
    const auto start = file.template tensor<float>("v1/x");
    be.upload(std::vector<T>(start.begin(), start.end()).data(), from.x.view());
    std::vector<T> second(batch.size());
    auto end = integrate(be, ddim{1.0}, noising, denoiser, grid, std::move(from), 1, [&](const auto& progress) {
      if (progress.at.index == 1) be.download(progress.x, second.data());
    });
    // A prediction of v gives x_0 and the noise with factors below 1, so that a run in float keeps its precision;
    // 3e-5 leaves room for five steps. The file's states are float32.
    const double bound = allowed_.output < 1e-6 ? 1e-6 : 3e-5;
    report("v1 state", relative(second, file.template tensor<float>("v1/state1")), bound);
    std::vector<T> drawn(batch.size());
    be.download(view_of<backend, const T>(end.x.view()), drawn.data());
    report("v1", relative(drawn, file.template tensor<float>("v1/output")), bound);
  }

  // From one start, with the batch growing on the way; the bound is that of the other run.
  void compare_branching(const std::string& run, double eta) {
    const auto& file = g_.tensors;
    const auto classes = labels(run + "/classes");
    const time_grid grid = uniform_grid(5);
    noise_of_run<Be> be{file, run, noising.sigma(grid.start())};
    std::vector<T> second;
    const auto result = sample_branching<T>(
        be, ddim{eta}, noising, both_, grid, {.images = classes.size()},
        [&](const auto& progress) {
          if (progress.at.index != 1) return;
          second.resize(progress.x.size());
          be.download(progress.x, second.data());
        },
        std::optional{uniform_of_run{&file, run}});
    require(result.labels == classes, run + "/classes", "others", "those of the run");
    const double bound = allowed_.output < 1e-6 ? 1e-6 : 3e-5;
    if (file.contains(run + "/state1")) {
      const auto theirs = file.template tensor<float>(run + "/state1");
      second.resize(theirs.size());  // those whose copies come behind them
      report((run + " state").c_str(), relative(second, theirs), bound);
    }
    report(run.c_str(),
           relative(std::vector<T>(result.images.data(), result.images.data() + result.images.size()),
                    file.template tensor<float>(run + "/output")),
           bound);
  }

  const char* backend_;
  Be& be_;
  const golden_case& g_;
  bounds allowed_;
  outcome& result_;
  shape batch_;
  network both_;
};

}  // namespace golden
