// Distances between clouds of points: the cost matrix, 200 rounds of entropic transport at a twentieth of the mean
// cost, alone and as a schedule search asks for them, and the Frechet distance of two normal distributions.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/metric/frechet.hpp>
#include <softscore/metric/sinkhorn.hpp>

#include "harness.hpp"

namespace {

using namespace softscore;

constexpr std::size_t dimension = 784, most_points = 2000, side_by_side = 8;
const sinkhorn_options transport{.regularization = 0.05, .relative = true, .tolerance = 1e-300, .rounds = 200};

// Clouds as a corruption leaves them: deviations fall from pixel to pixel, and the second cloud is shifted.
std::vector<float> points(std::size_t count, std::size_t dimensions, std::uint64_t seed, float shift) {
  auto z = bench::normal_numbers(count * dimensions, seed);
  for (std::size_t i = 0; i < z.size(); ++i)
    z[i] = shift + z[i] / std::sqrt(1.0f + 0.05f * static_cast<float>(i % dimensions));
  return z;
}

template <class T>
row_matrix<T> rows_of(const std::vector<float>& numbers, std::size_t count, std::size_t dimensions) {
  return as_matrix(numbers.data(), count, dimensions).template cast<T>();
}

template <class T>
std::vector<double> plan_of(const row_matrix<T>& cost, const sinkhorn_result& found) {
  const auto rows = static_cast<std::size_t>(cost.rows()), columns = static_cast<std::size_t>(cost.cols());
  std::vector<double> plan(rows * columns);
  auto matrix = as_matrix(plan.data(), rows, columns);
  matrix = -cost.template cast<double>();
  matrix.colwise() += found.f;
  matrix.rowwise() += found.g.transpose();
  matrix = (matrix.array() / found.regularization).exp() / static_cast<double>(plan.size());
  return plan;
}

struct clouds {
  std::vector<float> x{points(most_points, dimension, 1, 0.0f)}, y{points(most_points, dimension, 2, 0.1f)};
};

// As many samples as make covariances of full rank.
struct distributions {
  explicit distributions(std::size_t d)
      : features{d}, samples{d + d / 2}, a{points(samples, d, 3, 0.0f)}, b{points(samples, d, 4, 0.1f)} {}

  gaussian_moments moments(const std::vector<float>& numbers) const {
    return moments_of(rows_of<double>(numbers, samples, features));
  }

  std::size_t features, samples;
  std::vector<float> a, b;
};

void answer(const std::string& file) {
  std::deque<std::vector<float>> inputs;
  std::deque<std::vector<double>> results;
  std::vector<named_tensor> all;
  const auto put = [&](auto& kept, const std::string& name, std::vector<std::size_t> extent, auto numbers) {
    kept.push_back(std::move(numbers));
    all.emplace_back(name, std::move(extent), kept.back());
  };
  tbb_backend be;
  const clouds both;
  put(inputs, "x", {most_points, dimension}, both.x);
  put(inputs, "y", {most_points, dimension}, both.y);
  const auto transports = [&]<class T>(const std::string& type, T) {
    for (const std::size_t n : {std::size_t{500}, most_points}) {
      const auto cost = squared_distances<T>(be, rows_of<T>(both.x, n, dimension), rows_of<T>(both.y, n, dimension));
      const std::string which = type + "/" + std::to_string(n);
      put(results, "ours/plan/" + which, {n, n}, plan_of(cost, sinkhorn<T>(be, cost, transport)));
      put(results, "ours/cost/" + which, {n, n}, std::vector<double>(cost.data(), cost.data() + cost.size()));
    }
  };
  transports("float64", double{});
  transports("float32", float{});
  for (const std::size_t d : {256u, 2048u}) {
    const distributions two{d};
    const std::string which = std::to_string(d);
    put(inputs, "a/" + which, {two.samples, d}, two.a);
    put(inputs, "b/" + which, {two.samples, d}, two.b);
    put(results, "ours/frechet/" + which, {1}, std::vector{frechet_distance(two.moments(two.a), two.moments(two.b))});
  }
  write_safetensors(file, all);
}

template <class T>
void add_transports(const std::string& type) {
  bench::add("cost, n = 2000, " + type, [] {
    const clouds both;
    return [be = std::make_shared<tbb_backend>(), x = rows_of<T>(both.x, most_points, dimension),
            y = rows_of<T>(both.y, most_points, dimension)] {
      benchmark::DoNotOptimize(squared_distances<T>(*be, x, y).data());
    };
  });
  for (const std::size_t n : {std::size_t{500}, most_points})
    bench::add("Sinkhorn, n = " + std::to_string(n) + ", " + type, [n] {
      const clouds both;
      return [be = std::make_shared<tbb_backend>(),
              cost = squared_distances<T>(rows_of<T>(both.x, n, dimension), rows_of<T>(both.y, n, dimension))] {
        benchmark::DoNotOptimize(sinkhorn<T>(*be, cost, transport).cost);
      };
    });
  bench::add("8 costs and Sinkhorns, n = 500, " + type, [] {
    const clouds both;
    return [be = std::make_shared<tbb_backend>(), x = rows_of<T>(both.x, 500, dimension),
            y = rows_of<T>(both.y, 500, dimension)] {
      std::vector<double> found(side_by_side);
      be->parallel(side_by_side,
                   [&](std::size_t i) { found[i] = sinkhorn<T>(squared_distances<T>(x, y), transport).cost; });
      benchmark::DoNotOptimize(found.data());
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, answer, [] {
    add_transports<double>("float64");
    add_transports<float>("float32");
    for (const std::size_t d : {256u, 2048u})
      bench::add("Frechet, d = " + std::to_string(d), [d] {
        const distributions two{d};
        return [a = two.moments(two.a), b = two.moments(two.b)] { benchmark::DoNotOptimize(frechet_distance(a, b)); };
      });
  });
}
