#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/schedule/corrupted_clouds.hpp>
#include <softscore/schedule/search_progress.hpp>
#include <softscore/schedule/shortest_path.hpp>

namespace softscore {  // shared

/// Options of `search_levels`. Where Daras et al. 2022, Appendix C, leave a value open, the default is our own choice.
struct search_options {
  std::size_t nodes{32};  ///< distributions on the path, ends included
  double sigma{0.1};      ///< noise in every cloud
  sinkhorn_options transport{.regularization = 0.05, .relative = true, .tolerance = 1e-3, .rounds = 2000};
  bool debiased{true};     ///< whether a cloud's distance to itself is 0; three transports per pair instead of one
  std::uint64_t seed{0};   ///< seed of the noise
  double slack{1.1};       ///< the search of a row of pairs stops at the first distance above `slack` E
  std::size_t chunk{8};    ///< pairs evaluated at once
  std::size_t clouds{96};  ///< clouds kept in memory, each as large as the images
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// What the search found.
struct searched_levels {
  std::vector<double> levels;        ///< of the path, rising
  std::vector<std::size_t> indices;  ///< indices of these levels among the candidates
  std::vector<double> edges;         ///< their distances, one fewer than levels
  double longest{};                  ///< E
  double blocked{};                  ///< the largest E tried that gave no path of so few levels; 0 if every E gave one
  std::size_t pairs{}, width{}, clouds{};
  std::size_t unfinished{};  ///< pairs whose transport did not meet the tolerance
  double seconds{};
  double marginal_error{};  ///< the largest of all pairs
};

/// Searches the Wasserstein schedule of an operator on images (Daras et al. 2022, Eq. 20): a path through the candidate
/// levels, from the first to the last, in the regularized 2-Wasserstein distance of the corrupted clouds. Its edges are
/// at most E, and E is tuned until the path has `nodes` levels. Debiased distances (Feydy et al. 2019) add up along a
/// path, so all paths have nearly the same length, and the one with the most even steps is taken. The distances of the
/// paper have a floor, so with them the shortest path is taken. Where levels are discrete that number may be out of
/// reach; then the nearest is taken. `watch(search_progress)` reports progress. Spread the levels over time with
/// `after_noise`. Throws `error` for invalid options, images or candidates.
template <HostBackend Be, LinearOperator Op, class Watch>
searched_levels search_levels(Be& be, const Op& op, view<const float, host_space> images,
                              const std::vector<double>& candidates, const search_options& options,
                              const Watch& watch) {
  require(candidates.size() >= 2, "number of candidate levels", candidates.size(), "at least 2");
  const auto start = std::chrono::steady_clock::now();
  corrupted_clouds<Be, Op> clouds{
      be, op, images, candidates, options.sigma, options.transport, options.seed, options.clouds, options.debiased};
  search_progress progress{.candidates = candidates.size()};
  const auto report = [&] {
    progress.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    watch(progress);
  };
  double direct = 0.0;
  clouds(0, candidates.size() - 1, 1, &direct);
  progress.pairs = clouds.pairs();
  report();
  const auto row = [&](std::size_t k, std::size_t first, std::size_t count, double* out) {
    clouds(k, first, count, out);
    progress.pairs = clouds.pairs();
    progress.width = (std::max)(progress.width, first + count - 1 - k);
    progress.candidate = k;
    report();
  };
  distance_band distances{candidates.size(), row, options.chunk, options.slack};
  const auto find = [&](auto& band, double longest) {
    return options.debiased ? even_path(band, longest, options.nodes) : shortest_path(band, longest);
  };
  const auto tuned = path_of_nodes(distances, options.nodes, direct, find, [&](double longest, const node_path& path) {
    progress.longest = longest;
    progress.nodes = path.nodes.size();
    report();
  });
  progress.finished = true;
  report();
  searched_levels found;
  found.indices = tuned.path.nodes;
  for (const std::size_t i : found.indices) found.levels.push_back(candidates[i]);
  for (std::size_t i = 1; i < found.indices.size(); ++i) {
    const std::size_t from = found.indices[i - 1];
    found.edges.push_back(distances.from(from, tuned.longest)[found.indices[i] - from - 1]);
  }
  found.longest = tuned.longest;
  found.blocked = tuned.blocked;
  found.pairs = progress.pairs;
  found.width = distances.width();
  found.clouds = clouds.clouds_made();
  found.unfinished = clouds.unfinished();
  found.marginal_error = clouds.marginal_error();
  found.seconds = progress.seconds;
  return found;
}
template <HostBackend Be, LinearOperator Op>
searched_levels search_levels(Be& be, const Op& op, view<const float, host_space> images,
                              const std::vector<double>& candidates, const search_options& options = {}) {
  return search_levels(be, op, images, candidates, options, [](const search_progress&) {});
}

/// Returns `count` candidate levels from `first` to `last`, evenly spaced. Throws `error` unless count >= 2 and 0 <=
/// first <= last.
template <class = when_called>
std::vector<double> even_levels(std::size_t count, double first, double last) {
  require(count >= 2, "number of candidate levels", count, "at least 2");
  require(std::isfinite(last), "last candidate level", last, "finite");
  require(first >= 0.0 && first <= last, "first candidate level", first, "at least 0 and at most the last");
  auto levels = vector_of<double>("number of candidate levels", {count});
  for (std::size_t i = 0; i < count; ++i)
    levels[i] =
        i + 1 == count ? last : first + (last - first) * static_cast<double>(i) / static_cast<double>(count - 1);
  return levels;
}

/// Returns `count` candidate levels from `first` to `last` in a constant ratio. Use it for a family whose damage starts
/// fast, such as a blur: evenly spaced levels are too few at the beginning there. Throws `error` unless count >= 2 and
/// 0 < first <= last.
template <class = when_called>
std::vector<double> geometric_levels(std::size_t count, double first, double last) {
  require(count >= 2, "number of candidate levels", count, "at least 2");
  require(std::isfinite(last), "last candidate level", last, "finite");
  require(first > 0.0 && first <= last, "first candidate level", first, "above 0 and at most the last");
  auto levels = vector_of<double>("number of candidate levels", {count}, last);
  for (std::size_t i = 0; i + 1 < count; ++i)
    levels[i] = first * std::pow(last / first, static_cast<double>(i) / static_cast<double>(count - 1));
  return levels;
}

}  // namespace softscore::inline SOFTSCORE_ABI
