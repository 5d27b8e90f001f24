// What the parts of a training step reach, in floating-point operations or bytes per second, beside what this machine
// can do at all. Batch 128 of the plain CNN's sizes; all cores.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/data/staged_batches.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>

#include "digit_network.hpp"

namespace {

using namespace softscore;
constexpr std::size_t W = detail::native_lanes, images = 128, side = 28;

// Multiply-adds that wait for nothing: what no kernel can exceed.
struct fused_peak {
  static constexpr std::size_t chains = 12, rounds = 400000;
  static double flops() { return 2.0 * static_cast<double>(chains * rounds * W * bench::cores()); }

  void operator()() {
    be.parallel(bench::cores(), [this](std::size_t task) {
      // Each chain has numbers of its own, or the compiler would find them equal and compute one for all.
      detail::simd<W> sum[chains];
      detail::unrolled<chains>([&](auto k)
                                   SOFTSCORE_INLINE_LAMBDA { sum[k] = detail::load<W>(start.data() + task + k); });
      const detail::simd<W> a = detail::load<W>(start.data() + task + chains);
      const detail::simd<W> b = detail::load<W>(start.data() + task + chains + 1);
      for (std::size_t r = 0; r < rounds; ++r)
        detail::unrolled<chains>([&](auto k) SOFTSCORE_INLINE_LAMBDA { sum[k] = sum[k] * a + b; });
      detail::simd<W> total{};
      detail::unrolled<chains>([&](auto k) SOFTSCORE_INLINE_LAMBDA { total += sum[k]; });
      benchmark::DoNotOptimize(detail::sum_of_lanes<W>(total));
    });
  }
  tbb_backend be;
  std::vector<float> start = std::vector<float>(W + bench::cores() + chains + 1, 0.5f);
};

// a = b + s c on arrays that no cache holds.
struct triad {
  static constexpr std::size_t size = std::size_t{1} << 24;
  static double bytes() { return 3.0 * 4 * static_cast<double>(size); }

  void operator()() { be.combine(a.view(), term{1.0, b.view()}, term{0.5, c.view()}); }
  tbb_backend be;
  shape all{size / 4096, 1, 1, 4096};
  host_array<float> a{be.make<float>(all)}, b{be.make<float>(all)}, c{be.make<float>(all)};
};

struct convolution {
  convolution(std::size_t in, std::size_t out, std::size_t kernel) : sizes{images, in, out, side, side, kernel} {
    be.normal(noise_key{.seed = 1}, image_range{0, images}, x.view());
    be.normal(noise_key{.seed = 2}, image_range{0, images}, dy.view());
    be.normal(noise_key{.seed = 3}, image_range{0, out}, weight.view());
    conv2d_prepare<float>(be, plan, weight.view());
  }
  double flops() const {
    return 2.0 * static_cast<double>(images * sizes.weight().size() * sizes.height * sizes.width);
  }
  void prepare() { conv2d_prepare<float>(be, plan, weight.view()); }
  void forward() { conv2d_forward<float>(be, plan, x.view(), weight.view(), bias.view(), y.view()); }
  void backward() {
    conv2d_backward<float>(be, plan, x.view(), weight.view(), dy.view(), dx.view(), dweight.view(), dbias.view());
  }

  tbb_backend be;
  conv2d_shape sizes;
  tbb_conv2d<float> plan{make_conv2d<float>(be, sizes)};
  host_array<float> x{be.make<float>(sizes.input(images))}, dx{be.make<float>(sizes.input(images))};
  host_array<float> y{be.make<float>(sizes.output(images))}, dy{be.make<float>(sizes.output(images))};
  host_array<float> weight{be.make<float>(sizes.weight())}, dweight{be.make<float>(sizes.weight())};
  host_array<float> bias{be.make<float>({1, sizes.out_channels, 1, 1})};
  host_array<float> dbias{be.make<float>({1, sizes.out_channels, 1, 1})};
};

// Planes of W channels to spectra, as many as one thread of a layer of 32 channels holds at a time.
struct transforms {
  using plane = detail::plane_fft<32, W>;
  static constexpr std::size_t count = 16, stride = (count + 1) * 2 * W;
  // Rows in pairs, then columns: 14 + 16 transforms of 32 complex numbers, by the usual count of 5 N log2 N.
  static double flops() { return static_cast<double>(bench::cores() * count * W) * 30 * 5 * 32 * 5; }

  void operator()() {
    be.parallel(bench::cores(), [this](std::size_t task) {
      const float* x = from.data() + task * count * side * side * W;
      float* to = spectra.data() + task * plane::bins * stride;
      for (std::size_t n = 0; n < count; ++n) {
        typename plane::half_way work;
        for (std::size_t row = 0; row < side; row += 2) {
          const float* a = x + (n * side + row) * side * W;
          plane::forward_rows(work, row, row + 1, [&](std::size_t k) SOFTSCORE_INLINE_LAMBDA {
            return k < side ? detail::simd_complex<W>{detail::load<W>(a + k * W), detail::load<W>(a + (side + k) * W)}
                            : detail::simd_complex<W>{};
          });
        }
        plane::forward_columns(work, side, {to + n * 2 * W, stride});
      }
    });
  }
  tbb_backend be;
  std::vector<float> from = bench::normal_numbers(bench::cores() * count * side * side * W, 1);
  std::vector<float> spectra = std::vector<float>(bench::cores() * plane::bins * stride);
};

// Products of spectra, 32 channels by 32, for the images that one thread holds at a time.
struct products {
  static constexpr std::size_t bins = 514, channels = 32, blocks = channels / W, count = 8;
  static constexpr std::size_t step = 2 * channels, stride = (count * blocks + 1) * 2 * W;
  // Where there are registers for it, a complex product and its sum take three fused products; elsewhere four.
  static double flops() {
    return (W == 16 ? 6.0 : 8.0) * static_cast<double>(bench::cores() * bins * channels * channels * count);
  }

  void multiply() {
    be.parallel(bench::cores(), [this](std::size_t task) {
      const std::size_t at = task * bins * stride;
      for (std::size_t f = 0; f < bins; ++f)
        detail::frequency_products<W>::multiply(h.data() + f * 2 * channels * channels, x.data() + at + f * stride,
                                                y.data() + at + f * stride, channels, blocks, count, step, step);
    });
  }
  void correlate() {
    be.parallel(bench::cores(), [this](std::size_t task) {
      const std::size_t at = task * bins * stride;
      for (std::size_t f = 0; f < bins; ++f)
        detail::frequency_products<W>::correlate(sums.data() + (task * bins + f) * 2 * channels * channels,
                                                 y.data() + at + f * stride, x.data() + at + f * stride, channels,
                                                 blocks, count, step, step, false);
    });
  }
  tbb_backend be;
  std::vector<float> h = bench::normal_numbers(bins * 2 * channels * channels, 1);
  std::vector<float> x = bench::normal_numbers(bench::cores() * bins * stride, 2);
  std::vector<float> y = bench::normal_numbers(bench::cores() * bins * stride, 3);
  std::vector<float> sums = std::vector<float>(bench::cores() * bins * 2 * channels * channels);
};

struct norm {
  explicit norm(std::size_t channels) : extent{images, channels, side, side} {
    be.normal(noise_key{.seed = 1}, image_range{0, images}, x.view());
    be.normal(noise_key{.seed = 2}, image_range{0, images}, dy.view());
    be.normal(noise_key{.seed = 3}, image_range{0, 1}, gain.view());
    layer_norm_gelu_prepare<float>(be, plan, gain.view(), gain.view());
    forward();
  }
  // One activation read or written.
  double bytes() const { return 4.0 * static_cast<double>(extent.size()); }
  void forward() { layer_norm_gelu_forward<float>(be, plan, x.view(), gain.view(), gain.view(), {}, y.view()); }
  void backward() {
    layer_norm_gelu_backward<float>(be, plan, x.view(), gain.view(), gain.view(), dy.view(), y.view(), dgain.view(),
                                    dbias.view(), {});
  }

  tbb_backend be;
  shape extent;
  tbb_layer_norm_gelu<float> plan{make_layer_norm_gelu<float>(be, extent)};
  host_array<float> x{be.make<float>(extent)}, y{be.make<float>(extent)}, dy{be.make<float>(extent)};
  host_array<float> gain{be.make<float>(extent.with_images(1))}, dgain{be.make<float>(extent.with_images(1))};
  host_array<float> dbias{be.make<float>(extent.with_images(1))};
};

struct flat {
  static constexpr std::size_t size = 291217;
  static double bytes() { return 7.0 * 4 * size; }  // four arrays read, three written
  void operator()() { adam{}.step<tbb_backend, float>(be, ++count, theta.view(), m.view(), v.view(), gradient.view()); }
  tbb_backend be;
  shape all{1, 1, 1, size};
  std::uint64_t count{};
  host_array<float> theta{be.make<float>(all)}, m{be.make<float>(all)}, v{be.make<float>(all)};
  host_array<float> gradient{be.make<float>(all)};
};

struct noise {
  static double bytes() { return 4.0 * images * side * side; }
  void operator()() { be.normal(noise_key{.seed = 1, .step = ++count}, image_range{0, images}, z.view()); }
  tbb_backend be;
  std::uint32_t count{};
  host_array<float> z{be.make<float>({images, 1, side, side})};
};

struct loading {
  static constexpr std::size_t size = 60000;
  static double bytes() { return 2.0 * 4 * images * side * side; }
  void operator()() { batches.prepare(++count % batches.steps_per_epoch()); }
  tbb_backend be;
  std::size_t count{};
  host_array<float> all{be.make<float>({size, 1, side, side})};
  staged_batches batches{all.view(), images, 1, pixel_scale{}};
};

// The blur of that corruption alone. Useful are the products of pixels with taps that lie in the plane and that a float
// can tell from none.
struct blurring {
  static constexpr gaussian_blur op{.half_width = side};
  blurring(shape all, std::vector<level> of_images) : extent{all}, levels{std::move(of_images)} {
    be.normal(noise_key{.seed = 1}, image_range{0, extent.images}, x.view());
  }
  static double flops(const shape& batch, const std::vector<level>& levels) {
    const auto products = [](double w, std::size_t line) {
      std::vector<double> taps(side + 1, 0.0);
      for (std::size_t i = 0; i <= side; ++i)
        taps[i] = i == 0 ? 1.0 : w > 0.0 ? std::exp(-static_cast<double>(i * i) / (2 * w * w)) : 0.0;
      const std::size_t reach = std::min(detail::reach_of(taps.data(), side), line - 1);
      return static_cast<double>(line * (2 * reach + 1) - reach * (reach + 1)) /
             static_cast<double>(line);  // a pixel's
    };
    double all = 0.0;
    for (const level& w : levels) all += products(w.value, batch.height) + products(w.value, batch.width);
    return 2.0 * static_cast<double>(batch.size()) * all / static_cast<double>(levels.size());
  }
  void operator()() {
    const per_image<level> each =
        levels.size() == 1 ? per_image<level>{levels[0]} : per_image<level>{std::span<const level>{levels}};
    op.apply<tbb_backend, float>(be, each, x.view(), y.view());
  }
  tbb_backend be;
  shape extent;
  std::vector<level> levels;
  host_array<float> x{be.make<float>(extent)}, y{be.make<float>(extent)};
};

// The rest of what comes before the network: xi is drawn and the images are corrupted, each at a time of its own.
template <class C>
struct corrupting {
  explicit corrupting(C corruption) : way{std::move(corruption)} {
    for (std::size_t i = 0; i < images; ++i) times.push_back({(static_cast<double>(i) + 0.5) / images});
  }
  // The clean image and xi read, xi and the corrupted image written.
  static double bytes() { return 4.0 * 4 * images * side * side; }
  void operator()() {
    const noise_key key{.seed = 1, .stream = noise_stream::training, .step = ++count};
    way.draw_xi(be, key, image_range{0, images}, xi.view());
    way.template corrupt<tbb_backend, float>(be, per_image<diffusion_time>{std::span<const diffusion_time>{times}},
                                             clean.view(), xi.view(), noisy.view());
  }
  tbb_backend be;
  C way;
  std::uint32_t count{};
  std::vector<diffusion_time> times;
  host_array<float> clean{be.make<float>({images, 1, side, side})}, xi{be.make<float>({images, 1, side, side})};
  host_array<float> noisy{be.make<float>({images, 1, side, side})};
};

template <class T, class... Arguments>
auto called(void (T::*member)(), const Arguments&... arguments) {
  return [=] { return [object = std::make_shared<T>(arguments...), member] { ((*object).*member)(); }; };
}

}  // namespace

int main(int argc, char** argv) {
  const auto no_answer = [](const std::string&) {};
  return bench::run(argc, argv, no_answer, [] {
    bench::add("peak of multiply-adds", called(&fused_peak::operator()), fused_peak::flops());
    bench::add("peak of memory, a = b + s c", called(&triad::operator()), 0, triad::bytes());
    bench::add("transforms of planes", called(&transforms::operator()), transforms::flops());
    bench::add("products of spectra", called(&products::multiply), products::flops());
    bench::add("products summed over images", called(&products::correlate), products::flops());
    const auto layer = [](const std::string& name, std::size_t in, std::size_t out, std::size_t kernel) {
      const double flops = 2.0 * static_cast<double>(images * in * out * side * side * kernel * kernel);
      bench::add(name + ", forward", called(&convolution::forward, in, out, kernel), flops);
      bench::add(name + ", backward", called(&convolution::backward, in, out, kernel), 2 * flops);
    };
    layer("7x7 from 1 to 16 channels", 1, 16, 7);
    layer("7x7 from 16 to 32 channels", 16, 32, 7);
    layer("7x7 from 32 to 32 channels", 32, 32, 7);
    layer("7x7 from 32 to 16 channels", 32, 16, 7);
    layer("3x3 from 16 to 1 channels", 16, 1, 3);
    bench::add("weights of 7x7, 32 to 32, prepared",
               called(&convolution::prepare, std::size_t{32}, std::size_t{32}, std::size_t{7}));
    for (const std::size_t channels : {std::size_t{16}, std::size_t{32}}) {
      const double bytes = 4.0 * static_cast<double>(images * channels * side * side);
      const std::string of = "layer norm and GELU, " + std::to_string(channels) + " channels";
      bench::add(of + ", forward", called(&norm::forward, channels), 0, 2 * bytes);
      bench::add(of + ", backward", called(&norm::backward, channels), 0, 3 * bytes);
    }
    bench::add("Adam", called(&flat::operator()), 0, flat::bytes());
    bench::add("normal numbers", called(&noise::operator()), 0, noise::bytes());
    bench::add("loader", called(&loading::operator()), 0, loading::bytes());
    const auto blurred = [](const std::string& name, const shape& batch, const std::vector<level>& levels) {
      bench::add("blur, " + name, called(&blurring::operator(), batch, levels), blurring::flops(batch, levels));
    };
    std::vector<level> trained;
    for (std::size_t i = 0; i < images; ++i)
      trained.push_back(two_stage{}.level_at({(static_cast<double>(i) + 0.5) / images}));
    blurred("the widest for all", {images, 1, side, side}, {two_stage{}.level_at({1.0})});
    blurred("a level for each", {images, 1, side, side}, trained);
    blurred("3 x 512 x 512 pixels", {1, 3, 512, 512}, {level{2.0}});
    const auto corrupted = [](const std::string& name, const auto& way) {
      using each = corrupting<std::remove_cvref_t<decltype(way)>>;
      bench::add(
          "corruption, " + name, [way] { return [c = std::make_shared<each>(way)] { (*c)(); }; }, 0, each::bytes());
    };
    corrupted("noise", corruption{scaling{}, linear_beta{}});
    corrupted("blur", corruption{gaussian_blur{.half_width = side}, two_stage{}});
  });
}
