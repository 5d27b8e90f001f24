// Compares U-Nets on each backend with numbers that PyTorch and diffusers computed in float64: outputs, gradients and
// ten steps of Adam, for every file of a folder as make_unet.py writes it (tests/golden/README.md).
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/nn/diffusers.hpp>
#include <softscore/nn/edm.hpp>
#include <softscore/nn/guided_diffusion.hpp>
#include <softscore/nn/paper003.hpp>
#include <softscore/nn/sr3.hpp>
#include <softscore/optim/adam.hpp>

#include "added_layer.hpp"
#include "device_under_test.hpp"
#include "golden_case.hpp"
#include "pipeline_runs.hpp"
#include "worse.hpp"

namespace {

using namespace golden;

// A transformer, which is not made yet.
constexpr std::array<std::string_view, 1> left{"dit"};

template <class T, NetworkTime Time, class Be>
class comparison {
 public:
  comparison(const char* backend, Be& be, const golden_case& g, const unet<Time>& net, const std::vector<float>& values,
             const bounds& allowed, outcome& result)
      : backend_{backend},
        be_{be},
        g_{g},
        net_{net},
        allowed_{allowed},
        result_{result},
        batch_{batch_of(g)},
        out_shape_{net.output(batch_)},
        theta_{flat()},
        gradients_{flat()},
        x_{be.template make<T>(batch_)},
        out_{be.template make<T>(out_shape_)},
        dout_{be.template make<T>(out_shape_)},
        dx_{be.template make<T>(batch_)},
        ws_{net.template workspace<T>(be, batch_)} {
    const std::vector<T> wide(values.begin(), values.end());
    be_.upload(wide.data(), theta_.view());
  }

  void run() {
    const auto& file = g_.tensors;
    const given_classes classes{file, "class_labels", net_.settings()};
    const auto known = classes.of(0, batch_.images, net_.settings().given_features());
    const auto dout = widened(file.tensor<float>("dout", file.extent("output_f64")));
    pass(widened(images_of<float>(g_, "condition", "x")), file.tensor<float>("t", {batch_.images}), known,
         [&](const std::vector<T>&) { return dout; });
    const std::string name = this->name();
    result_.report(name, backend_, "output", relative(host_out_, file.tensor<double>("output_f64")), allowed_.output);
    result_.report(name, backend_, "dx",
                   relative(downloaded(dx_.view()), images_of<double>(g_, "dcondition_f64", "dx_f64")),
                   allowed_.output);
    compare_gradients();
    if (file.contains("curve/loss_f64")) compare_curve();
  }

 private:
  std::string name() const { return g_.name(); }
  auto flat() { return be_.template make<T>({1, 1, 1, net_.parameter_count()}); }
  static std::vector<T> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }
  template <class View>
  std::vector<T> downloaded(View from) {
    std::vector<T> values(from.size());
    be_.download(from, values.data());
    return values;
  }

  // Forward, then backward from what `cotangent` makes of the output.
  template <class Cotangent>
  void pass(const std::vector<T>& x, std::span<const float> ts, const conditioning& known, const Cotangent& cotangent) {
    std::vector<Time> times;
    for (const float t : ts) times.push_back({static_cast<double>(t)});
    be_.upload(x.data(), x_.view());
    net_.forward(be_, theta_.view(), network_input<Time>{per_image<Time>{std::span<const Time>{times}}, known},
                 x_.view(), out_.view(), ws_);
    host_out_ = downloaded(out_.view());
    const std::vector<T> dout = cotangent(host_out_);
    be_.upload(dout.data(), dout_.view());
    net_.backward(be_, theta_.view(), dout_.view(), dx_.view(), gradients_.view(), ws_);
  }

  void compare_gradients() {
    const std::vector<T> all = downloaded(gradients_.view());
    double worst = 0;
    std::string where;
    const source_layout names = g_.names(net_.layout());
    for (const parameter& p : names.tensors()) {
      if (!p.trained || g_.zero_gradients.contains(p.name)) continue;
      const std::vector<T> ours = names.gather<T>(p, all);
      const double error = g_.tensors.contains("digest/" + p.name)
                               ? relative(digest_of(p.name, ours), g_.tensors.tensor<double>("digest/" + p.name))
                               : relative(ours, g_.tensors.tensor<float>("grad/" + p.name));
      if (error <= worst) continue;
      worst = worse(worst, error);
      where = p.name;
    }
    result_.report(name(), backend_, "gradients", worst, allowed_.gradient, where);
  }

  void compare_curve() {
    const auto& file = g_.tensors;
    const auto theirs = file.tensor<double>("curve/loss_f64"), bars = file.tensor<double>("curve/alpha_bar_f64");
    const auto in_float = file.tensor<float>("curve/loss_float32"), x0 = file.tensor<float>("curve/x0"),
               noise = file.tensor<float>("curve/noise", file.extent("curve/x0")), ts = file.tensor<float>("curve/t");
    const given_classes classes{file, "curve/class_labels", net_.settings()};
    auto m = flat(), v = flat();
    const std::size_t steps = theirs.size(), images = batch_.images, size = batch_.size();
    const adam optimizer{.learning_rate = 1e-3};
    double worst = 0, of_float32 = 0;
    for (std::size_t k = 0; k < steps; ++k) {
      std::vector<T> x(size);
      for (std::size_t i = 0; i < size; ++i) {
        const double bar = bars[k * images + i / batch_.per_image()];
        x[i] = static_cast<T>(std::sqrt(bar) * static_cast<double>(x0[k * size + i]) +
                              std::sqrt(1 - bar) * static_cast<double>(noise[k * size + i]));
      }
      double loss = 0;
      pass(x, std::span{ts}.subspan(k * images, images),
           classes.of(k * images, images, net_.settings().given_features()), [&](const std::vector<T>& out) {
             std::vector<T> d(out.size());
             for (std::size_t i = 0; i < d.size(); ++i) {
               const double e = static_cast<double>(out[i]) - static_cast<double>(noise[k * size + i]);
               loss += e * e / static_cast<double>(d.size());
               d[i] = static_cast<T>(2 * e / static_cast<double>(d.size()));
             }
             return d;
           });
      optimizer.step<Be, T>(be_, k + 1, theta_.view(), m.view(), v.view(), gradients_.view());
      worst = worse(worst, std::abs(loss - theirs[k]) / theirs[k]);
      of_float32 = std::max(of_float32, std::abs(static_cast<double>(in_float[k]) - theirs[k]) / theirs[k]);
    }
    result_.report(name(), backend_, "curve", worst, std::max(1e-6, 3 * of_float32));
  }

  const char* backend_;
  Be& be_;
  const golden_case& g_;
  const unet<Time>& net_;
  bounds allowed_;
  outcome& result_;
  shape batch_, out_shape_;
  array_of<Be, T> theta_, gradients_, x_, out_, dout_, dx_;
  typename unet<Time>::template memory<Be, T> ws_;
  std::vector<T> host_out_{};
};

template <NetworkTime Time>
void check(const golden_case& g, outcome& result) {
  const unet<Time> net{g.settings};
  const std::vector<float> values = parameters_of(g, net, result);
  const bounds in_float{1e-5, std::max(2e-5, 3 * number_in(g.tensors, "float32_grad")), 0};
  [[maybe_unused]] constexpr bounds in_double{1e-12, 1e-7, 0};
#if !defined(__CUDACC__)
  serial_backend serial;
  comparison<double, Time, serial_backend>{"serial double", serial, g, net, values, in_double, result}.run();
  comparison<float, Time, serial_backend>{"serial", serial, g, net, values, in_float, result}.run();
  tbb_backend tbb;
  comparison<double, Time, tbb_backend>{"tbb double", tbb, g, net, values, in_double, result}.run();
  comparison<float, Time, tbb_backend>{"tbb", tbb, g, net, values, in_float, result}.run();
#endif
  device_under_test device;
  comparison<float, Time, device_under_test>{"device", device, g, net, values, in_float, result}.run();
  if constexpr (std::same_as<Time, log_snr>) {
    if (!g.tensors.contains("add_v")) return;
    unet<log_snr> frozen{g.settings};
    frozen.set_parameters(values);
#if !defined(__CUDACC__)
    added_layer_check<double, serial_backend>{"serial double", serial, g, frozen, in_double, result}.run();
    added_layer_check<float, serial_backend>{"serial", serial, g, frozen, in_float, result}.run();
    added_layer_check<double, tbb_backend>{"tbb double", tbb, g, frozen, in_double, result}.run();
    added_layer_check<float, tbb_backend>{"tbb", tbb, g, frozen, in_float, result}.run();
#endif
    added_layer_check<float, device_under_test>{"device", device, g, frozen, in_float, result}.run();
  }
  if (!g.tensors.contains("ddim/states")) return;
#if !defined(__CUDACC__)
  check_runs<double, double, serial_backend>("serial double", 1e-6, g, result);
  check_runs<float, double, serial_backend>("double network", 1e-5, g, result);
  check_runs<float, float, serial_backend>("serial", 5e-5, g, result);
  check_runs<double, double, tbb_backend>("tbb double", 1e-6, g, result);
  check_runs<float, float, tbb_backend>("tbb", 5e-5, g, result);
#endif
  check_runs<float, float, device_under_test>("device", 5e-5, g, result);
}

// The settings of a UNet2DModel behind class planes.
unet_config class_planes_config(const json_settings& settings) {
  unet_config c = detail::unet_config_reader{settings, "model."}.read();
  c.class_planes = settings.size("class_emb_size", 0);
  c.class_plane_count = settings.size("classes", 0);
  return c;
}

void check_file(const fs::path& file, const fs::path& config, const std::optional<fs::path>& folder, outcome& result) {
  const json_settings settings = read_json_settings(config);
  const std::string kind = settings.text("_class_name", "");
  const auto same = [](const parameter_layout& layout) { return source_layout::same(layout); };
  golden_case g{file, {}, same, safetensors_file{file}, folder};
  std::istringstream names{g.tensors.find_metadata("zero_gradient").value_or("")};
  for (std::string name; std::getline(names, name, ',');) g.zero_gradients.insert(name);
  if (kind == "adm") {
    const auto of = read_guided_diffusion_settings(config);
    g.settings = unet_settings(of);
    g.names = [of](const parameter_layout& layout) { return guided_diffusion_names(of, layout); };
    check<step_index>(g, result);
  } else if (kind == "song") {
    const auto of = read_edm_settings(config);
    g.settings = unet_settings(of);
    g.names = [of](const parameter_layout& layout) { return edm_names(of, layout); };
    check<c_noise>(g, result);
  } else if (kind == "sr3") {
    const auto of = read_sr3_settings(config);
    g.settings = unet_settings(of);
    g.names = [of](const parameter_layout& layout) { return sr3_names(of, layout); };
    check<noise_level>(g, result);
    g.settings.beside_channels = 0;
    check<noise_level>(g, result);
  } else if (kind == "vdiff") {
    g.settings = paper003_unet(settings.size("channels", 0), settings.size("classes", 0));
    check<log_snr>(g, result);
  } else {
    g.settings = kind == "class_planes" ? class_planes_config(settings) : read_unet_config(config);
    if (g.settings.time_embedding == unet_time::fourier)
      check<sigma>(g, result);
    else
      check<step_index>(g, result);
  }
  ++result.checked;
}

void check_folder(const fs::path& folder, outcome& result) {
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator{folder}) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  for (const fs::path& entry : entries) {
    const std::string stem = entry.stem().string(), extension = entry.extension().string();
    const bool model = fs::is_directory(entry) && fs::exists(entry / "golden.safetensors");
    if (extension == ".md" || extension == ".py") continue;
    if (extension == ".json" && fs::exists(fs::path{entry}.replace_extension(".safetensors"))) continue;
    ++result.found;
    if (std::find(left.begin(), left.end(), stem) != left.end()) {
      std::printf("%-22s left\n", stem.c_str());
      ++result.left;
      continue;
    }
    try {
      require(model || extension == ".safetensors", "a file of the folder", entry.string(),
              "a golden file or a model's folder with one");
      if (model)
        check_file(entry / "golden.safetensors", detail::model_folder(entry) / "config.json", entry, result);
      else
        check_file(entry, fs::path{entry}.replace_extension(".json"), std::nullopt, result);
    } catch (const std::exception& e) {
      std::printf("%-22s FAILS: %s\n", stem.c_str(), e.what());
      result.good = false;
    }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: golden_unet FOLDER\n");
    return 2;
  }
#if defined(__CUDACC__)
  try {
    const softscore::cuda_device probe{0};
  } catch (const softscore::error& reason) {
    std::printf("skipped: no device (%s)\n", reason.what());
    return 77;
  }
#endif
  golden::outcome result;
  check_folder(argv[1], result);
  std::printf("%zu files found, %zu checked, %zu left\n", result.found, result.checked, result.left);
  return result.good && result.checked > 0 ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 2;
}
